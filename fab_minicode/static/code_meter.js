// The page "new code": the meter that counts while one types, what keeps a page from being taken, which kind fits.
// Everything works without this file; the server counts and checks in the same way (meter.py, kinds.py).
(function () {
  "use strict";
  const root = document.querySelector(".minicode");
  const dataElement = root && root.querySelector("#mc-code-data");
  if (!dataElement) {
    return;
  }
  const all = (selector) => Array.from(root.querySelectorAll(selector));
  const one = (selector) => root.querySelector(selector);
  const fill = (text, facts) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));
  const faults = window.minicodeFaults;
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

  // ---------------------------------------------------------------------------------------------- the landing page
  // As kinds.CONTROL: what no text of ours may hold; with "u" only halves of pairs that lack the other one are found.
  const control = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/u;
  const space = /[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/;

  // As utm.unescape.
  function unescape(text) {
    if (!text.includes("%") || /%(?![0-9A-Fa-f]{2})/.test(text)) {
      return text;
    }
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function keysOf(page) {
    const query = page.split("?").slice(1).join("?");
    return query.split("&").filter(Boolean).map((piece) => unescape(piece.split("=")[0]).toLowerCase());
  }

  // As kinds.landing_page_faults, in its order; the words come with the page.
  function faultsOf(page) {
    if (page.startsWith("?")) {
      return [data.pageWords.required];
    }
    const keys = keysOf(page);
    const marks = page.split("?").length - 1;
    const reserved = data.fields.filter((field) => keys.includes(field)).sort();
    if (page.toLowerCase().includes(data.reserved) || keys.includes(data.reserved)) {
      reserved.unshift(data.reserved);
    }
    const found = [
      ["control_character", control.test(page)],
      ["space", space.test(page)],
      ["leading_slash", page.startsWith("/")],
      ["fragment", page.includes("#")],
      ["second_question_mark", marks > 1],
    ].filter(([, isWrong]) => isWrong).map(([code]) => fill(data.pageWords[code], { actual: number.format(marks) }));
    return found.concat(reserved.map((word) => fill(data.pageWords.reserved_parameter, { detail: word })));
  }

  function showPage(sentence) {
    const said = one("#landing_page-error");
    // What the server said stays until somebody touches the field.
    if (said && !said.dataset.mcLive) {
      return;
    }
    if (said || sentence) {
      faults.clear("landing_page");
    }
    if (sentence) {
      faults.show(form.elements.landing_page, sentence);
    }
  }

  // ------------------------------------------------------------------------------------------------------ the kinds
  function fitOf(kind, parts, isWrong) {
    const used = kind.carriesUtm ? parts.reduce((sum, part) => sum + part.bytes, 0) : parts[0].bytes;
    const page = parts[0].text;
    const verdict = !page ? "noPage" : isWrong ? "wrongPage" : !kind.carriesUtm && page.includes("?") ? "noQuery"
      : used > kind.limit ? "tooLong" : "fits";
    return { kind: kind, used: used, verdict: verdict, fits: verdict === "fits" };
  }

  function proposedOf(fits) {
    const fitting = fits.filter((fit) => fit.fits);
    const saving = data.quotaIsShort ? fitting.find((fit) => !fit.kind.usesQuota) : null;
    return saving || fitting[0] || null;
  }

  const verdict = (fit) => fill(data.words[fit.verdict], { over: number.format(fit.used - fit.kind.limit) });

  const length = (fit) => fill(data.words.bytes, { used: number.format(fit.used), limit: number.format(fit.kind.limit) });

  function showVerdict(badge, fit) {
    badge.textContent = verdict(fit);
    badge.className = "mc-badge mc-badge-" + (fit.fits ? "good" : fit.verdict === "noPage" ? "open" : "bad");
  }

  function showCards(fits, proposed) {
    fits.forEach((fit) => {
      const card = one('[data-mc-kind="' + fit.kind.name + '"]');
      showVerdict(card.querySelector("[data-mc-verdict]"), fit);
      card.querySelector("[data-mc-used]").textContent = length(fit);
      card.querySelector("[data-mc-proposed]").hidden = fit !== proposed;
    });
  }

  function showBar(fit, parts) {
    const scale = Math.max(fit.kind.limit, fit.used);
    const isOver = fit.used > fit.kind.limit;
    const edge = fit.kind.limit * 1000 / scale;
    let x = 0;
    one("[data-mc-meter]").classList.toggle("mc-over", isOver);
    one("[data-mc-limit]").setAttribute("x", edge.toFixed(2));
    one("[data-mc-limit]").setAttribute("width", (1000 - edge).toFixed(2));
    one("[data-mc-mark]").setAttribute("x", (edge - 4).toFixed(2));
    all("[data-mc-meter-bar] [data-mc-part]").forEach((rect, place) => {
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
    if (fit.fits || fit.verdict === "noPage") {
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

  function showStrip(fit) {
    one("[data-mc-strip-kind]").textContent = fit.kind.title;
    one("[data-mc-strip-total]").textContent = length(fit);
    showVerdict(one("[data-mc-strip] [data-mc-verdict]"), fit);
  }

  function update() {
    const parts = partsOfPath();
    const wrong = faultsOf(parts[0].text);
    const fits = data.kinds.map((kind) => fitOf(kind, parts, wrong.length > 0));
    const proposed = proposedOf(fits);
    const chosen = fits.find((fit) => fit.kind.name === form.elements.kind.value) || fits[0];
    const carries = chosen.kind.carriesUtm;
    showPage(wrong.join(" "));
    showCards(fits, proposed);
    showStrip(chosen);
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
    announce(wrong.join(" ") || length(chosen) + (chosen.verdict === "noPage" ? "" : ". " + verdict(chosen)));
    return wrong;
  }

  form.addEventListener("input", (event) => {
    if (event.target.name === "line_color") {
      form.querySelector('input[name="colour"][value="own"]').checked = true;
    }
    const wrong = update();
    // A path that was too long is corrected by another value or another kind, too.
    if (!wrong.length && ["kind"].concat(data.fields).includes(event.target.name)) {
      faults.clear("landing_page");
    }
  });
  one("[data-mc-strip]").hidden = false;
  update();
})();
