/*
 * The chart as a picture, and the cards of a board that are counted after the page is there.
 *
 * The form with data-mcs-record records the export first; only when the server agrees is the picture drawn and saved.
 * A card with data-mcs-card is asked for by its own request, so that no slow question holds up the others.
 */
(() => {
  "use strict";

  /* What a fresh page answers: the session or its token ended, the permission or the mini program is gone. */
  const GONE = [400, 401, 403, 404];

  /* The picture itself is drawn by analysis.js: its button is pressed again once the export is recorded. */
  const record = async (button, form) => {
    document.getElementById("mca-offline").hidden = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
      if (answer.status === 204) {
        button.dataset.mcsRecorded = "";
        button.click();
        // A session that ended leads to the host's login.
      } else if (answer.redirected || GONE.includes(answer.status)) location.reload();
      else throw new Error(String(answer.status));
    } catch {
      // Pressed by its id: meanwhile another answer may have brought another button.
      window.minicodeFailed(() => document.getElementById("mca-picture").click());
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#mca-picture");
    if (button === null) return;
    if ("mcsRecorded" in button.dataset) {
      delete button.dataset.mcsRecorded;
      return;
    }
    event.stopImmediatePropagation();
    record(button, document.querySelector("form[data-mcs-record]"));
  }, true);

  /* analysis.js answers every form on its page in place; those of this bar are pages of their own. */
  document.addEventListener("submit", (event) => {
    if (event.target.closest("#mca-saved") !== null) event.stopPropagation();
  }, true);

  const fill = async (card) => {
    const answer = await fetch(card.dataset.mcsCard, { credentials: "same-origin", headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-mcs-body]");
    if (answer.ok && fresh !== null) card.replaceChildren(...fresh.childNodes);
    else card.querySelector("[data-mcs-failed]").hidden = false;
    card.removeAttribute("aria-busy");
  };

  const start = () => {
    for (const card of document.querySelectorAll("[data-mcs-card]")) {
      fill(card).catch(() => { card.querySelector("[data-mcs-failed]").hidden = false; });
    }
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
