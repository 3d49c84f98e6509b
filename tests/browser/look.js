// What a page of ours shows, for tests/browser/walk.py: every text, and what stands where it should not.
() => {
  const root = document.querySelector(".minicode");
  const all = (selector) => [...root.querySelectorAll(selector)];
  const QUOTED = "pre, code, .mc-mono, .mc-path, script, style, template, datalist, [hidden]";

  const said = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    if (text && !walker.currentNode.parentElement.closest(QUOTED)) said.push(text);
  }
  for (const name of ["aria-label", "title", "placeholder", "alt"]) {
    said.push(...all(`[${name}]`).filter((one) => !one.closest(QUOTED)).map((one) => one.getAttribute(name)));
  }

  const style = (one) => getComputedStyle(one);
  const nameOf = (one) => `${one.tagName.toLowerCase()}.${[...one.classList].join(".")}: ${(one.innerText || "").slice(0, 40)}`;
  const seen = all("*").filter((one) => one.checkVisibility() && !one.closest(".mc-sr, svg, option, canvas"));
  const scrolls = (one) => {
    for (let box = one.parentElement; box && box !== root; box = box.parentElement) {
      if (/auto|scroll|hidden|clip/.test(style(box).overflowX)) return true;
    }
    return false;
  };
  const isOutside = (one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !scrolls(one);
  };
  const isCut = (one) => (
    [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
    && /hidden|clip/.test(style(one).overflowX)
    && style(one).textOverflow !== "ellipsis"
    && one.scrollWidth > one.clientWidth + 1
  );
  const isNameless = (table) => (
    !table.caption && !table.closest("[role=region][aria-label]") && !table.matches("[aria-label], [aria-labelledby]")
  );
  const lacksScope = (table) => [...table.querySelectorAll("thead th")].some((head) => !head.scope);

  return {
    said,
    title: document.title,
    wide: document.documentElement.scrollWidth - innerWidth,
    outside: seen.filter(isOutside).map(nameOf),
    cut: seen.filter(isCut).map(nameOf),
    tables: all("table").filter((one) => isNameless(one) || lacksScope(one)).map(nameOf),
    headings: all("h1, h2, h3, h4, h5, h6").filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1])),
  };
}
