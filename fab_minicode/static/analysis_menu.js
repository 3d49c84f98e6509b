/*
 * What one can do with a point of the chart or a row of the table: a menu of links, by mouse and by keyboard.
 *
 * The server gives every row one address: the same question about this row alone. "Split by …" and "who are they" are made of
 * it here; their words stand in `#mca-menu-data`.
 */
(() => {
  "use strict";

  const words = () => JSON.parse(document.getElementById("mca-menu-data").textContent);
  let open = null;

  const splitAddress = (url, dimension) => {
    const address = new URL(url, location.href);
    address.searchParams.set("by", dimension);
    address.searchParams.delete("granularity");
    address.searchParams.delete("chart");
    address.searchParams.delete("stack");
    return address.href;
  };

  const visitorsAddress = (page, url) => {
    const address = new URL(page, location.href);
    address.search = new URL(url, location.href).search;
    return address.href;
  };

  const item = (label, href, inPlace) => {
    const link = document.createElement("a");
    link.setAttribute("role", "menuitem");
    link.tabIndex = -1;
    link.href = href;
    if (inPlace) link.dataset.ask = "";
    link.textContent = label;
    return link;
  };

  const titled = (name, title, items) => {
    const group = document.createElement("div");
    const heading = document.createElement("p");
    group.setAttribute("role", "group");
    heading.id = `mca-menu-${name}`;
    heading.textContent = title;
    group.setAttribute("aria-labelledby", heading.id);
    group.append(heading, ...items);
    return group;
  };

  const build = (name, url) => {
    const said = words();
    const menu = document.createElement("div");
    menu.className = "mca-menu";
    menu.setAttribute("role", "menu");
    menu.setAttribute("aria-label", name);
    const splits = said.dimensions.map((one) => item(one.label, splitAddress(url, one.name), true));
    const first = [item(said.filter, new URL(url, location.href).href, true)];
    if (said.visitors) first.push(item(said.who, visitorsAddress(said.visitors, url), false));
    menu.append(titled("one", name, first));
    if (splits.length) menu.append(titled("splits", said.split, splits));
    return menu;
  };

  const place = (menu, { x, y }) => {
    const gap = 4;
    const left = Math.min(x + gap, document.documentElement.clientWidth - menu.offsetWidth - gap);
    const below = y + gap + menu.offsetHeight <= window.innerHeight;
    const top = below ? y + gap : Math.max(gap, y - gap - menu.offsetHeight);
    menu.style.left = `${Math.max(gap, left)}px`;
    menu.style.top = `${top}px`;
  };

  const items = () => [...open.menu.querySelectorAll("[role=menuitem]")];

  const close = ({ refocus = false } = {}) => {
    if (open === null) return;
    const { menu, from } = open;
    open = null;
    menu.remove();
    if (from !== null) from.setAttribute("aria-expanded", "false");
    if (refocus && from !== null && from.isConnected) from.focus({ preventScroll: true });
  };

  const pressed = (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[to].focus();
    else if (event.key === "Escape") close({ refocus: true });
    else if (event.key === "Tab") {
      close({ refocus: true });
      return;
    } else if (event.key === " ") document.activeElement.click();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      const next = [...all.slice(at + 1), ...all].find((one) => one.textContent.toLowerCase().startsWith(event.key.toLowerCase()));
      if (next) next.focus();
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /* Open the menu for what is called `name` and asked about by `url`; `at`: {x, y} in the window. */
  const show = (name, url, at, from) => {
    close();
    const menu = build(name, url);
    document.getElementById("mca-root").append(menu);
    open = { menu, from };
    if (from !== null) from.setAttribute("aria-expanded", "true");
    place(menu, at);
    menu.addEventListener("keydown", pressed);
    items()[0].focus({ preventScroll: true });
  };

  document.addEventListener("pointerdown", (event) => open !== null && !open.menu.contains(event.target) && close());
  document.addEventListener("click", (event) => open !== null && open.menu.contains(event.target) && event.target.closest("a") && setTimeout(close));
  // The person's own scrolling; the browser scrolls too, to show what has the focus.
  for (const name of ["wheel", "touchmove"]) {
    window.addEventListener(name, (event) => open !== null && !open.menu.contains(event.target) && close(), { passive: true });
  }
  window.addEventListener("resize", () => close());

  window.minicodeMenu = { show, close };
})();
