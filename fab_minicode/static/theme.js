// Follows the host's background: a host may wear any theme, and only the painted colour tells whether it is dark.
// Loaded inside the root element, before anything below it is painted.
(function () {
  "use strict";
  const root = document.currentScript.closest(".minicode");

  function parts(colour) {
    return (colour.match(/[\d.]+/g) || []).slice(0, 3).map(Number);
  }

  function luminance(colour) {
    const [red, green, blue] = parts(colour).map(function (value) {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function background() {
    for (let element = root.parentElement; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour && !/^(transparent|rgba\(0, 0, 0, 0\))$/.test(colour)) {
        return colour;
      }
    }
    return "rgb(255, 255, 255)";
  }

  function follow() {
    const colour = background();
    const dark = luminance(colour) < 0.2;
    root.dataset.mcTheme = dark ? "dark" : "light";
    // What floats above the page must cover it: the host's own dark colour, a little lighter.
    const lighter = parts(colour).map(function (value) { return Math.round(value + (255 - value) * 0.06); });
    root.style.setProperty("--mc-raised", dark ? "rgb(" + lighter.join(", ") + ")" : "");
  }

  follow();
  const watcher = new MutationObserver(follow);
  [document.documentElement, document.body].forEach(function (element) {
    watcher.observe(element, { attributes: true, attributeFilter: ["class", "data-theme", "style"] });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow);
})();
