// The form of a segment: as many conditions as it may have, added one by one before it is saved.
// Without this file the form shows two blank ones; the server reads the same fields.
(() => {
  "use strict";

  const button = document.querySelector("[data-mcv-add]");
  if (button === null) return;
  const form = button.form;
  const template = document.querySelector("#mcv-condition-template");
  const conditions = () => [...form.querySelectorAll(".mcv-condition")];
  const isFull = () => conditions().length >= Number(button.dataset.mcvAdd) && conditions().every((one) => one.offsetParent !== null);

  /* Its fields are called c0-…, c1-… like those that the server wrote; in the template the number is N. */
  const numbered = (fieldset, place) => {
    for (const element of fieldset.querySelectorAll("[id], [name], [for]")) {
      for (const name of ["id", "name", "for"]) {
        const value = element.getAttribute(name);
        if (value !== null) element.setAttribute(name, value.replace("cN-", `c${place}-`));
      }
    }
    const legend = fieldset.querySelector("legend");
    legend.textContent = legend.textContent.replace("N", place + 1);
    return fieldset;
  };

  const added = () => {
    const fresh = numbered(template.content.firstElementChild.cloneNode(true), conditions().length);
    conditions().at(-1).after(fresh);
    return fresh;
  };

  button.hidden = isFull();
  button.addEventListener("click", () => {
    // A blank one behind another blank one is there already and only hidden.
    const next = conditions().find((one) => one.offsetParent === null) || added();
    next.classList.add("mcv-added");
    next.querySelector(".mcv-kind").focus();
    button.hidden = isFull();
  });
})();
