/*
 * Suggests values for a filter: those the data hold, with how often, under the field as it is typed.
 *
 * A combobox over the address in `data-mca-values` of what holds the filters. Where there is none, where it does not answer, or
 * where the condition needs no value, the field stays the plain text field it is. The fields of a row are `dimension`, `op`
 * and `value`, with something before the name where a form has several lists of filters ("c0-value").
 */
(() => {
  "use strict";

  const WAIT_MS = 150;
  const MOST = 12;
  const SEVERAL = ["in", "not_in"];
  const ATTRIBUTIONS = ["last", "entry", "first"];
  let list = null;
  let input = null;
  let options = [];
  let active = -1;
  let waiting = 0;
  let asking = null;

  const isValue = (element) => element instanceof HTMLInputElement && /(^|-)value$/.test(element.name) && element.closest("[data-mca-values]") !== null;
  const rowOf = (element) => element.closest("[data-mca-row]");
  const part = (row, name) => row.querySelector(`[name=${name}], [name$=-${name}]`).value;

  /* ---- one value of several: "a, b|" completes b ------------------------------------------------------------------ */

  const pieces = (text) => text.match(/(?:"(?:[^"]|"")*"?|[^,，"]+|"|(?<=[,，]|^)(?=[,，]))+/g) || [];
  const several = () => SEVERAL.includes(part(rowOf(input), "op"));
  const typed = () => {
    const text = input.value;
    if (!several()) return text.trim();
    const last = /[,，]\s*$/.test(text) ? "" : (pieces(text).pop() || "").trim();
    return last.replace(/^"|"$/g, "").replace(/""/g, '"');
  };
  const written = (value) => (several() && /[,，"]|^\s|\s$/.test(value) ? `"${value.replace(/"/g, '""')}"` : value);

  const taken = () => (several() ? pieces(input.value).map((piece) => piece.trim()) : []);

  const fill = (value) => {
    if (several()) {
      const before = pieces(input.value).map((piece) => piece.trim()).filter((piece) => piece !== "");
      if (!/[,，]\s*$/.test(input.value)) before.pop();
      input.value = [...before, written(value)].join(", ");
    } else input.value = value;
    close();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  /* ---- the list --------------------------------------------------------------------------------------------------- */

  const close = () => {
    if (input !== null) {
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
    if (list !== null) list.remove();
    list = null;
    options = [];
    active = -1;
  };

  const mark = (index) => {
    active = index;
    [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === index)));
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", list.children[index].id);
      list.children[index].scrollIntoView({ block: "nearest" });
    }
  };

  const open = (found) => {
    const asked = input;
    close();
    input = asked;
    const chosen = taken();
    options = found.filter((one) => !chosen.includes(written(one.value)) || one.value === typed()).slice(0, MOST);
    if (options.length === 0 || (options.length === 1 && options[0].value === input.value)) return;
    const numbers = new Intl.NumberFormat(input.closest("[lang]").lang);
    list = document.createElement("ul");
    list.id = "mca-values-list";
    list.className = "mca-values";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", input.getAttribute("aria-label"));
    options.forEach((one, index) => {
      const option = document.createElement("li");
      const name = document.createElement("span");
      const count = document.createElement("span");
      option.id = `mca-values-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      name.textContent = one.label;
      count.textContent = numbers.format(one.count);
      count.className = "mc-quiet mc-number";
      option.append(name, count);
      // Before the field loses the focus.
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        fill(one.value);
      });
      list.append(option);
    });
    input.parentElement.append(list);
    input.setAttribute("aria-expanded", "true");
    input.setAttribute("aria-controls", list.id);
  };

  /* ---- asking ----------------------------------------------------------------------------------------------------- */

  /* The window as an address writes it; dates that are not whole yet are left to the server's default. */
  const windowOf = (form) => {
    const name = form.elements.window.value;
    if (name === "free") return `${form.elements.since.value}..${form.elements.until.value}`;
    return /^\d+$/.test(name) ? `last_${name}` : name;
  };

  const address = () => {
    const found = new URL(input.closest("[data-mca-values]").dataset.mcaValues, location.href);
    const form = input.form;
    if (form.elements.appid) found.searchParams.set("appid", form.elements.appid.value);
    found.searchParams.set("dimension", part(rowOf(input), "dimension"));
    found.searchParams.set("q", typed().slice(0, 100));
    if (form.elements.window) found.searchParams.set("window", windowOf(form));
    const attribution = form.elements.attribution && form.elements.attribution.value;
    if (ATTRIBUTIONS.includes(attribution)) found.searchParams.set("attribution", attribution);
    return found;
  };

  /* Entry scenes are numbers; the page knows what they are called in its language. */
  const labelOf = (one) => {
    const names = part(rowOf(input), "dimension") === "scene" ? JSON.parse(document.getElementById("mca-scene-names").textContent) : {};
    return names[one.value] ? `${names[one.value]} ${one.value}` : String(one.value);
  };

  const suggest = async () => {
    if (asking !== null) asking.abort();
    const mine = (asking = new AbortController());
    const asked = input;
    try {
      const answer = await fetch(address(), { signal: mine.signal, credentials: "same-origin", headers: { Accept: "application/json" } });
      if (!answer.ok || input !== asked || document.activeElement !== asked) return;
      const { result } = await answer.json();
      open(result.filter((one) => one.value !== null).map((one) => ({ value: String(one.value), label: labelOf(one), count: one.users })));
    } catch (error) {
      // Without suggestions the field is what it was: a text field.
      if (error.name !== "AbortError") close();
    }
  };

  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(suggest, WAIT_MS);
  };

  const begin = (element) => {
    input = element;
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-haspopup", "listbox"]]) {
      input.setAttribute(name, value);
    }
    later();
  };

  document.addEventListener("focusin", (event) => {
    if (isValue(event.target)) begin(event.target);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target !== input) return;
    clearTimeout(waiting);
    if (asking !== null) asking.abort();
    close();
    input = null;
  });
  document.addEventListener("input", (event) => event.target === input && later());
  // In the capturing phase: Enter chooses a value before it sends the form.
  document.addEventListener("keydown", (event) => {
    if (input === null || event.target !== input) return;
    if (list === null) {
      if (event.key === "ArrowDown") later();
      return;
    }
    const most = options.length;
    if (event.key === "ArrowDown") mark((active + 1) % most);
    else if (event.key === "ArrowUp") mark((active - 1 + most) % most);
    else if (event.key === "Enter" && active >= 0) fill(options[active].value);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
})();
