// The code and mini-program pages. Everything works without this file; it makes the pages quicker to use:
// copying, the delete dialog, menus that close, a busy button, and the meter that counts while one types.
(function () {
  "use strict";
  const root = document.querySelector(".minicode");
  if (!root) {
    return;
  }
  const all = (selector) => Array.from(root.querySelectorAll(selector));
  const one = (selector) => root.querySelector(selector);
  const fill = (text, facts) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));

  all("[data-mc-script-hides]").forEach((element) => { element.hidden = true; });

  // ------------------------------------------------------------------------------------------------------- copying
  all("[data-mc-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      window.minicodeCopy(button, one(button.dataset.mcCopy).textContent, button.dataset.mcDone);
    });
  });

  // --------------------------------------------------------------------------------------------------------- menus
  all("[data-mc-menu]").forEach((menu) => {
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
  });

  // ---------------------------------------------------------------------------------------------------------- tabs
  all("[data-mc-tabs]").forEach((bar) => {
    const show = () => {
      const start = bar.scrollLeft > 1;
      const end = bar.scrollLeft + bar.clientWidth < bar.scrollWidth - 1;
      bar.dataset.mcMore = start && end ? "both" : start ? "start" : end ? "end" : "";
    };
    const current = bar.querySelector("[aria-current]");
    if (current) {
      bar.scrollLeft = current.offsetLeft - (bar.clientWidth - current.offsetWidth) / 2;
    }
    bar.addEventListener("scroll", show, { passive: true });
    new ResizeObserver(show).observe(bar);
  });

  all("select[data-mc-submit]").forEach((select) => {
    select.addEventListener("change", () => select.form.requestSubmit());
  });

  // -------------------------------------------------------------------------------------------------------- dialog
  const dialog = one("#mc-delete-dialog");
  if (dialog && dialog.showModal) {
    const title = dialog.querySelector("[data-mc-template]");
    all("[data-mc-delete]").forEach((link) => {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        title.textContent = fill(title.dataset.mcTemplate, { name: link.dataset.mcName });
        dialog.querySelector("form").action = link.dataset.mcDelete;
        dialog.showModal();
      });
    });
    dialog.querySelector("[data-mc-close]").addEventListener("click", () => dialog.close());
  }

  // ---------------------------------------------------------------------------------------------------------- busy
  all("form[data-mc-busy]").forEach((form) => {
    form.addEventListener("submit", (event) => {
      if (form.dataset.mcSent) {
        event.preventDefault();
        return;
      }
      form.dataset.mcSent = "yes";
      const button = form.querySelector("[type=submit]");
      const icon = button.querySelector("i");
      const spinner = document.createElement("span");
      spinner.className = "mc-spinner";
      button.setAttribute("aria-disabled", "true");
      (button.querySelector("span") || button).textContent = form.dataset.mcBusy;
      if (icon) {
        icon.replaceWith(spinner);
      }
      all("[data-mc-working]").forEach((element) => { element.hidden = false; });
      all("[data-mc-idle]").forEach((element) => { element.hidden = true; });
    });
    // Coming back with the browser's "back" shows the page as it was left: busy.
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        window.location.reload();
      }
    });
  });

  const faults = one("#mc-faults");
  if (faults) {
    faults.focus();
  }

  // --------------------------------------------------------------------------------------------------------- meter
  const dataElement = one("#mc-code-data");
  if (!dataElement) {
    return;
  }
  const data = JSON.parse(dataElement.textContent);
  const form = one("#mc-code-form");
  const number = new Intl.NumberFormat(root.lang);
  const encoder = new TextEncoder();
  const bytesOf = (text) => encoder.encode(text).length;
  // Python's str.strip(): what Unicode calls white space, and the ASCII separators; not U+FEFF, which trim() would take.
  const edges = /^[\s\x1c-\x1f\x85]+|[\s\x1c-\x1f\x85]+$/g;
  const strip = (text) => text.replace(edges, (space) => (space.includes("\ufeff") ? space : ""));
  const typed = (name) => strip(form.elements[name].value);
  // As utm.escape: unreserved ASCII and everything above it stay, other ASCII is percent-encoded.
  const escape = (value) => value.replace(/[\x00-\x7f]/g, (c) => (
    /[A-Za-z0-9\-._~]/.test(c) ? c : "%" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")
  ));

  function partsOfPath() {
    const page = typed("landing_page");
    const parts = [{ field: "landing_page", text: page, bytes: bytesOf(page) }];
    let separator = page.includes("?") ? "&" : "?";
    data.fields.forEach((field) => {
      const value = typed(field).normalize("NFC");
      const text = value ? separator + field + "=" + escape(value) : "";
      separator = value ? "&" : separator;
      parts.push({ field: field, text: text, bytes: bytesOf(text) });
    });
    return parts;
  }

  function fitOf(kind, parts) {
    const used = kind.carriesUtm ? parts.reduce((sum, part) => sum + part.bytes, 0) : parts[0].bytes;
    const takesQuery = kind.carriesUtm || !parts[0].text.includes("?");
    return { kind: kind, used: used, takesQuery: takesQuery, fits: takesQuery && used <= kind.limit };
  }

  function proposedOf(fits) {
    const fitting = fits.filter((fit) => fit.fits);
    const saving = data.quotaIsShort ? fitting.find((fit) => !fit.kind.usesQuota) : null;
    return saving || fitting[0] || null;
  }

  function verdict(fit) {
    if (fit.fits) {
      return data.words.fits;
    }
    return fit.takesQuery ? fill(data.words.tooLong, { over: number.format(fit.used - fit.kind.limit) }) : data.words.noQuery;
  }

  const length = (fit) => fill(data.words.bytes, { used: number.format(fit.used), limit: number.format(fit.kind.limit) });

  function showCards(fits, proposed) {
    fits.forEach((fit) => {
      const card = one('[data-mc-kind="' + fit.kind.name + '"]');
      const badge = card.querySelector("[data-mc-verdict]");
      badge.textContent = verdict(fit);
      badge.className = "mc-badge mc-badge-" + (fit.fits ? "good" : "bad");
      card.querySelector("[data-mc-used]").textContent = length(fit);
      card.querySelector("[data-mc-proposed]").hidden = fit !== proposed;
    });
  }

  function showBar(fit, parts) {
    const scale = Math.max(fit.kind.limit, fit.used);
    let x = 0;
    all("[data-mc-meter-bar] rect").forEach((rect, place) => {
      const shown = fit.kind.carriesUtm || place === 0 ? parts[place].bytes * 1000 / scale : 0;
      rect.setAttribute("x", x.toFixed(2));
      rect.setAttribute("width", shown.toFixed(2));
      x += shown;
    });
    parts.forEach((part, place) => {
      const row = one('[data-mc-cost="' + part.field + '"]');
      const bytes = fit.kind.carriesUtm || place === 0 ? part.bytes : 0;
      row.dataset.bytes = bytes;
      row.querySelector(".mc-number").textContent = number.format(bytes);
    });
  }

  function showRemedy(fit, proposed) {
    const place = one("[data-mc-too-long]");
    place.replaceChildren();
    if (fit.fits) {
      return;
    }
    const sentence = document.createElement("p");
    sentence.className = "mc-error";
    sentence.textContent = verdict(fit);
    place.append(sentence);
    if (proposed) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "mc-button mc-button-small";
      button.textContent = fill(data.words.use, { kind: proposed.kind.title });
      button.addEventListener("click", () => {
        const radio = form.querySelector('input[name="kind"][value="' + proposed.kind.name + '"]');
        radio.checked = true;
        radio.focus();
        update();
      });
      place.append(button);
    }
  }

  // As likeness.folded: what does not change a word's meaning is left out.
  const folded = (text) => text.normalize("NFKC").toLowerCase().normalize("NFKC").replace(/[\s_\-\u2010-\u2015]+/g, "");

  function usedBefore(field, text) {
    const used = all("#mc-values-" + field + " option").map((option) => option.value);
    return text && !used.includes(text) ? used.find((one) => folded(one) === folded(text)) || "" : "";
  }

  function showAdvice(carries) {
    data.fields.forEach((field) => {
      const place = one('[data-mc-advice="' + field + '"]');
      const text = typed(field).normalize("NFC");
      const before = usedBefore(field, text);
      const sentence = before ? fill(data.words.drifted, { before: before, text: text })
        : carries && text.includes("&") ? data.words.cut : "";
      if (place.dataset.sentence === sentence) {
        return;
      }
      place.dataset.sentence = sentence;
      place.hidden = !sentence;
      place.textContent = sentence;
      if (before) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "mc-link-button";
        button.textContent = fill(data.words.useValue, { value: before });
        button.addEventListener("click", () => {
          form.elements[field].value = before;
          form.elements[field].focus();
          update();
        });
        place.append(button);
      }
    });
  }

  let announcing = 0;
  function announce(text) {
    clearTimeout(announcing);
    announcing = setTimeout(() => { one("[data-mc-announce]").textContent = text; }, 1000);
  }

  function update() {
    const parts = partsOfPath();
    const fits = data.kinds.map((kind) => fitOf(kind, parts));
    const proposed = proposedOf(fits);
    const chosen = fits.find((fit) => fit.kind.name === form.elements.kind.value) || fits[0];
    const carries = chosen.kind.carriesUtm;
    showCards(fits, proposed);
    showBar(chosen, parts);
    showRemedy(chosen, proposed);
    showAdvice(carries);
    one("[data-mc-meter-kind]").textContent = chosen.kind.title;
    one("[data-mc-meter-total]").textContent = length(chosen);
    one("[data-mc-unlimited]").hidden = carries;
    one("[data-mc-path-label]").hidden = !carries;
    const path = one("[data-mc-path]");
    path.hidden = !carries;
    path.textContent = parts.map((part) => part.text).join("");
    announce(length(chosen) + ". " + verdict(chosen));
  }

  form.addEventListener("input", (event) => {
    if (event.target.name === "line_color") {
      form.querySelector('input[name="colour"][value="own"]').checked = true;
    }
    update();
  });
  update();
})();
