/*
 * The table of an answer: a menu for every row. Its headings are links; the server sorts, so that an export stands in the same
 * order (views/analysis_order.py).
 */
(() => {
  "use strict";

  const rowOf = (event) => event.target.closest("tr[data-mca-url]");

  const openMenu = (row, at) => {
    const link = row.querySelector("a[data-mca-row]");
    window.minicodeMenu.show(row.dataset.mcaName, row.dataset.mcaUrl, at, link);
  };

  const below = (element) => {
    const box = element.getBoundingClientRect();
    return { x: box.left, y: box.bottom };
  };

  const prepare = (table) => {
    for (const link of table.querySelectorAll("a[data-mca-row]")) {
      link.setAttribute("aria-haspopup", "menu");
      link.setAttribute("aria-expanded", "false");
      link.removeAttribute("title");
    }
    table.tBodies[0].addEventListener("click", (event) => {
      const row = rowOf(event);
      const link = event.target.closest("a");
      const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
      if (row === null || !plain || (link !== null && !("mcaRow" in link.dataset)) || String(getSelection()) !== "") return;
      event.preventDefault();
      event.stopPropagation();
      // A press of Enter is a click without a place.
      openMenu(row, event.detail === 0 ? below(link) : { x: event.clientX, y: event.clientY });
    });
    table.tBodies[0].addEventListener("contextmenu", (event) => {
      const row = rowOf(event);
      // The menu key; a press of the mouse's right button stays the browser's.
      if (row === null || event.button === 2 || event.target.closest("a:not([data-mca-row])")) return;
      event.preventDefault();
      openMenu(row, below(event.target));
    });
  };

  window.minicodeTable = { prepare };
})();
