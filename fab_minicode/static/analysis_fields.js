/*
 * The fields of every analysis page: lists of rows that keep a blank one to fill in, a window whose dates show when they
 * are asked for, and the question "is this worth asking now?".
 *
 * Works on every form with `data-mca-fields`. When a change completes the question the form says so with a bubbling event
 * `mca:asked` ({delay} in ms, because a date being typed changes with every digit). Who wants an answer in place listens
 * (analysis.js); without a listener the form's own button asks.
 */
(() => {
  "use strict";

  const TYPING_MS = 600;
  const UNUSED_VALUE = ["set", "not_set"];
  let fresh = 0;

  const all = (element, selector) => [...element.querySelectorAll(selector)];
  const field = (row, name) => row.querySelector(`[name=${name}]`);
  const keyOf = (row) => row.querySelector("[data-mca-key]");
  const isBlank = (row) => keyOf(row).value.trim() === "";
  const lacksValue = (row) => {
    const value = field(row, "value");
    return value !== null && !UNUSED_VALUE.includes(field(row, "op").value) && value.value.trim() === "";
  };

  const addBlank = (list) => {
    if (list.children.length >= Number(list.dataset.mcaRows) || [...list.children].some(isBlank)) return;
    const template = document.querySelector(`template[data-mca-template="${list.id}"]`);
    const row = template.content.firstElementChild.cloneNode(true);
    fresh += 1;
    all(row, "[id]").forEach((element) => { element.id = `${element.id}-${fresh}`; });
    list.append(row);
  };

  /* A dimension splits once: what another row has taken cannot be chosen again. */
  const takeOnce = (list) => {
    const taken = all(list, "[data-mca-key]").map((key) => key.value);
    for (const key of all(list, "[data-mca-key]")) {
      for (const option of key.options) option.disabled = option.value !== "" && option.value !== key.value && taken.includes(option.value);
    }
  };

  const prepare = (form) => {
    for (const list of all(form, "[data-mca-rows]")) {
      addBlank(list);
      if ("mcaOnce" in list.dataset) takeOnce(list);
      [...list.children].forEach((row, place) => {
        row.classList.toggle("is-blank", isBlank(row));
        row.classList.toggle("is-first", place === 0);
        const value = field(row, "value");
        if (value !== null) value.classList.toggle("is-unused", UNUSED_VALUE.includes(field(row, "op").value));
      });
    }
    const dates = form.querySelector("#mca-dates");
    if (dates !== null) dates.hidden = form.elements.window.value !== "free";
  };

  const ask = (form, delay = 0) => form.dispatchEvent(new CustomEvent("mca:asked", { bubbles: true, detail: { delay } }));

  /* Whether a change in a row is worth an answer; the person is led to the value that is still missing. */
  const isComplete = (row, changed) => {
    if (isBlank(row) || !lacksValue(row)) return true;
    if (changed.name !== "value") field(row, "value").focus();
    return changed.name === "value";
  };

  const changed = (event) => {
    const { target } = event;
    const form = target.form;
    if (!form || !("mcaFields" in form.dataset)) return;
    form.dispatchEvent(new CustomEvent("mca:changed", { bubbles: true, detail: { target } }));
    prepare(form);
    if (target.name === "window" && target.value === "free") {
      form.querySelector("#mca-since").focus();
      return;
    }
    const row = target.closest("[data-mca-row]");
    if (row === null || isComplete(row, target)) ask(form, target.type === "date" ? TYPING_MS : 0);
  };

  const remove = (row) => {
    const list = row.parentElement;
    const counted = !isBlank(row) && !lacksValue(row);
    const place = [...list.children].indexOf(row);
    row.remove();
    prepare(list.closest("form"));
    list.dispatchEvent(new CustomEvent("mca:removed", { bubbles: true }));
    keyOf(list.children[Math.min(place, list.children.length - 1)]).focus();
    if (counted) ask(list.closest("form"));
  };

  const moveUp = (button) => {
    const row = button.closest("[data-mca-row]");
    if (row.previousElementSibling === null) return;
    row.previousElementSibling.before(row);
    prepare(row.closest("form"));
    (row.classList.contains("is-first") ? keyOf(row) : button).focus();
    ask(row.closest("form"));
  };

  document.addEventListener("change", changed);
  document.addEventListener("click", (event) => {
    const removal = event.target.closest(".mca-row-remove");
    if (removal !== null) remove(removal.closest("[data-mca-row]"));
    const up = event.target.closest(".mca-row-up");
    if (up !== null) moveUp(up);
  });

  window.minicodeFields = { prepare };
  document.querySelectorAll("form[data-mca-fields]").forEach(prepare);
})();
