/*
 * Copies a text for a button and says so on it: `minicodeCopy(button, text, done)`, for every page of ours.
 */
(() => {
  "use strict";

  const SAID_MS = 2000;
  const before = new WeakMap();

  /* A host without HTTPS has no clipboard interface: the browser copies what is marked. */
  const copyMarked = (button, text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "mc-sr";
    button.after(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    button.focus({ preventScroll: true });
    return isCopied;
  };

  const copy = async (button, text) => {
    if (!navigator.clipboard || !window.isSecureContext) return copyMarked(button, text);
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // The browser or the person refuses the interface.
      return copyMarked(button, text);
    }
  };

  const say = (button, done) => {
    const label = button.querySelector("span");
    // Who presses again while "Copied" stands there must not get it as the label for good.
    const said = before.get(button) || { text: label.textContent, timer: 0 };
    clearTimeout(said.timer);
    label.textContent = done;
    said.timer = setTimeout(() => {
      label.textContent = said.text;
      before.delete(button);
    }, SAID_MS);
    before.set(button, said);
  };

  /* Copy `text`; where that works the label of `button` (its <span>) is `done` for two seconds. Resolves to whether it did. */
  window.minicodeCopy = async (button, text, done) => {
    const isCopied = await copy(button, text);
    if (isCopied) say(button, done);
    return isCopied;
  };
})();
