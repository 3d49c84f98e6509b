/*
 * An analysis page in place: every change of the question is answered without loading the page anew.
 *
 * The server renders question and answer; this file asks it for the same page without the host's layout (`part=page`) and
 * swaps what changed: everything with `data-slot`, by id. Without this file the form's own button does the same with a
 * page load. A page takes part with `#mca-root` (data-url, data-title), the form `#mca-question` (data-mca-fields) and
 * `#mca-answer`; a chart is drawn where `#mca-chart` and `#mca-chart-data` are.
 */
(() => {
  "use strict";

  const ROOT = "#mca-root";
  const PART = "part";
  let chart = null;
  let asking = null;
  let typing = 0;
  let isOtherProgram = false;
  let again = () => askForm();

  const root = () => document.querySelector(ROOT);
  const byId = (id) => document.getElementById(id);
  const form = () => byId("mca-question");

  /* ---- the question as an address -------------------------------------------------------------------------------- */

  const formAddress = () => {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form())) {
      if (typeof value === "string") fields.append(name, value);
    }
    const address = new URL(form().action, location.href);
    address.search = fields.toString();
    return address;
  };

  const fetchPage = async (address, signal) => {
    const part = new URL(address);
    part.searchParams.set(PART, "page");
    const answer = await fetch(part, { signal, credentials: "same-origin", headers: { Accept: "text/html" } });
    if (answer.status >= 500) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(ROOT);
  };

  /* ---- swapping -------------------------------------------------------------------------------------------------- */

  const frame = () => root().querySelector(".mca-table-frame");

  const swapSlots = (fresh, wholeForm) => {
    const focused = document.activeElement && document.activeElement.id;
    // The heading that was pressed must not leave the screen of a phone.
    const left = frame()?.scrollLeft ?? 0;
    for (const slot of root().querySelectorAll(wholeForm ? "[data-slot]" : "[data-slot]:not([data-slot=question])")) {
      const other = fresh.querySelector(`#${CSS.escape(slot.id)}`);
      if (other !== null) slot.replaceWith(other);
    }
    root().dataset.url = fresh.dataset.url;
    document.title = fresh.dataset.title;
    if (frame() !== null) frame().scrollLeft = left;
    if (focused && document.activeElement.id !== focused) {
      const again = byId(focused);
      if (again !== null) again.focus({ preventScroll: true });
    }
  };

  const drawChart = () => {
    const stage = byId("mca-chart");
    if (stage === null) return;
    const payload = JSON.parse(byId("mca-chart-data").textContent);
    stage.hidden = payload === null;
    if (payload === null) chart.clear();
    else chart.draw(payload);
    if (byId("mca-picture") !== null) byId("mca-picture").hidden = payload === null;
  };

  const show = () => {
    window.minicodeMenu?.close();
    drawChart();
    const table = root().querySelector(".mca-table");
    if (table !== null && window.minicodeTable) window.minicodeTable.prepare(table);
    byId("mca-live").textContent = byId("mca-headline").dataset.summary;
    if (form() === null) return;
    window.minicodeFields.prepare(form());
    root().dataset.splits = String(splits());
  };

  const busy = (on) => {
    root().classList.toggle("is-busy", on);
    byId("mca-answer").setAttribute("aria-busy", String(on));
  };

  /* ---- asking ---------------------------------------------------------------------------------------------------- */

  /* Say that the server could not be reached; "Try again" does once more what failed. */
  const failed = (more) => {
    again = more;
    byId("mca-offline").hidden = false;
  };
  window.minicodeFailed = failed;

  const ask = async (address, { push, wholeForm }) => {
    clearTimeout(typing);
    if (asking !== null) asking.abort();
    const mine = (asking = new AbortController());
    busy(true);
    byId("mca-offline").hidden = true;
    try {
      const fresh = await fetchPage(address, mine.signal);
      if (fresh === null) {
        // The session ended or the permission is gone: let the host say so.
        location.assign(address);
        return;
      }
      if (!wholeForm) followDates(fresh);
      swapSlots(fresh, wholeForm);
      if (push) history.pushState({ minicode: true }, "", root().dataset.url || address);
      show();
    } catch (error) {
      if (error.name === "AbortError") return;
      failed(() => ask(address, { push, wholeForm }));
    }
    if (asking === mine) {
      asking = null;
      busy(false);
    }
  };

  /* Another mini program has other events and segments: the form itself is asked for again. */
  const askForm = () => {
    const wholeForm = isOtherProgram;
    isOtherProgram = false;
    ask(formAddress(), { push: true, wholeForm });
  };

  const askLater = (event) => {
    clearTimeout(typing);
    if (event.detail.delay) typing = setTimeout(askForm, event.detail.delay);
    else askForm();
  };

  /* ---- what one choice suggests for another ---------------------------------------------------------------------- */

  /* Dates that are not asked for follow the answer, so that "from … to" starts with what is on the page. */
  const followDates = (fresh) => {
    if (byId("mca-window") === null || byId("mca-window").value === "free") return;
    for (const id of ["mca-since", "mca-until"]) byId(id).value = fresh.querySelector(`#${id}`).value;
  };

  const granularity = (name) => byId(`mca-granularity-${name}`);
  const HOURLY = ["today", "yesterday", "7", "14", "free"];

  /* One day by days is one point: its hours say more. Hours are not kept for long windows. */
  const windowChanged = (name) => {
    if (["today", "yesterday"].includes(name) && granularity("day").checked) granularity("hour").checked = true;
    else if (granularity("hour").checked && !HOURLY.includes(name)) granularity("day").checked = true;
  };

  /* Who splits wants a ranking first, who stops splitting a course over time; the pills show it and can be changed. */
  const splits = () => [...document.querySelectorAll("#mca-splits [name=split]")].filter((one) => one.value !== "").length;

  const splitChanged = () => {
    const chosen = splits();
    if (chosen === 0) granularity("day").checked = true;
    else if (root().dataset.splits === "0") granularity("total").checked = true;
  };

  const changed = (event) => {
    const { target } = event.detail;
    if (target.name === "appid") isOtherProgram = true;
    if (granularity("day") === null) return;
    if (target.name === "split") splitChanged();
    if (target.name === "window") windowChanged(target.value);
  };

  /* ---- links and buttons ----------------------------------------------------------------------------------------- */

  const clicked = (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target.closest("a[data-ask]");
    if (link !== null && plain && root().contains(link)) {
      event.preventDefault();
      // Another order is no other question: what is being typed stays.
      ask(new URL(link.href), { push: true, wholeForm: !link.classList.contains("mca-sort") });
      return;
    }
    const share = event.target.closest("#mca-copy-link");
    if (share !== null) copyText(share, new URL(root().dataset.url, location.href).href);
    if (event.target.closest("#mca-retry") !== null) again();
    if (event.target.closest("[data-mca-recount-again]") !== null) loadRecount(byId("mca-recount"));
    if (event.target.closest("#mca-picture") !== null) savePicture();
    const copy = event.target.closest("[data-mca-copy]");
    if (copy !== null) copyText(copy, byId(copy.dataset.mcaCopy).textContent);
  };

  const copyText = async (button, text) => {
    if (await window.minicodeCopy(button, text, button.dataset.done)) say(button.dataset.done);
  };

  /* The SQL is written only for who opens it. */
  const loadRecount = async (details) => {
    if (!details.open || details.querySelector("pre") !== null) return;
    const address = new URL(details.dataset.mcaRecount, location.href);
    const failure = details.querySelector("[data-mca-recount-failed]");
    failure.hidden = true;
    try {
      const fresh = await fetchPage(address);
      if (fresh === null) {
        // As in ask(): the host says why.
        location.assign(address);
        return;
      }
      const body = fresh.querySelector("#mca-recount-body");
      if (body === null) failure.hidden = false;
      else details.querySelector("#mca-recount-body").replaceWith(body);
    } catch {
      failure.hidden = false;
    }
  };

  /* A chosen point of the chart: its row's menu. */
  const pick = (series, index, at) => {
    const payload = JSON.parse(byId("mca-chart-data").textContent);
    const point = payload.chart === "bubble" ? payload.points[index] : null;
    const url = point ? point.link : payload.links[series] && payload.links[series][index];
    if (!url) return;
    const named = payload.series && payload.is_time && payload.links.length > 1 ? [payload.series[series].name] : [];
    const name = point ? point.name : [...named, payload.labels[index]].join(" · ");
    window.minicodeMenu.show(name, url, at, byId("mca-chart"));
  };

  const say = (text) => { byId("mca-live").textContent = text; };

  const savePicture = () => {
    const canvas = chart.picture(byId("mca-head").querySelector(".mca-dates-words").textContent);
    canvas.toBlob((picture) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(picture);
      link.download = `${byId("mca-charts").querySelector("h2").textContent.replace(/[^\p{L}\p{N}]+/gu, "-")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }, "image/png");
  };

  const start = () => {
    if (root() === null) return;
    root().classList.add("is-live");
    if (byId("mca-chart") !== null) chart = window.minicodeAnalysisChart(byId("mca-chart"), byId("mca-legend"), { pick, say });
    const fold = byId("mca-question-fold");
    if (fold !== null && window.matchMedia("(max-width: 991px)").matches) {
      fold.open = root().querySelector(".mc-error:not([hidden]), [data-mca-unanswered]") !== null;
    }
    show();
    root().addEventListener("mca:changed", changed);
    root().addEventListener("mca:removed", () => granularity("day") !== null && splitChanged());
    root().addEventListener("mca:asked", askLater);
    // A toggle does not bubble.
    root().addEventListener("toggle", (event) => event.target.id === "mca-recount" && loadRecount(event.target), true);
    root().addEventListener("click", clicked);
    root().addEventListener("submit", (event) => {
      event.preventDefault();
      askForm();
    });
    history.replaceState({ minicode: true }, "");
    window.addEventListener("popstate", (event) => {
      // A jump to #… is a popstate too, but not another question.
      if (event.state !== null) ask(new URL(location.href), { push: false, wholeForm: true });
    });
  };

  start();
})();
