/*
 * The table of an answer: sorted by any of its columns, and a menu for every row.
 */
(() => {
  "use strict";

  const cellOf = (row, column) => row.cells[column];

  /* A cell's value to sort by: a number, a text, or null for what is not set. */
  const valueOf = (cell) => {
    if ("number" in cell.dataset) return cell.dataset.number === "" ? null : Number(cell.dataset.number);
    return cell.dataset.text ?? cell.textContent.trim();
  };

  const order = (language) => {
    const texts = new Intl.Collator(language, { numeric: true });
    return (one, other) => {
      if (one === null || other === null) return (one === null) - (other === null);
      return typeof one === "number" ? one - other : texts.compare(one, other);
    };
  };

  const sortBy = (table, column, ascending) => {
    const compare = order(table.closest("[lang]").lang);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(cellOf(row, column)) }));
    // What is not set stays last in both directions.
    rows.sort((one, other) => {
      const known = one.value !== null && other.value !== null;
      return known && !ascending ? compare(other.value, one.value) : compare(one.value, other.value);
    });
    body.append(...rows.map(({ row }) => row));
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  };

  const sortable = (table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      const arrow = document.createElement("span");
      button.type = "button";
      button.className = "mca-sort";
      arrow.className = "mca-sort-arrow";
      arrow.setAttribute("aria-hidden", "true");
      button.append(head.textContent.trim(), arrow);
      head.replaceChildren(button);
      const isNumber = head.classList.contains("mca-figure");
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        sortBy(table, column, now === null ? !isNumber : now === "descending");
      });
    });
  };

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
    sortable(table);
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
