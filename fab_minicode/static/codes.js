// The code and mini-program pages. Everything works without this file; it makes the pages quicker to use:
// copying, the delete dialog, menus that close, a busy button, faults that go away once they are corrected.
(function () {
  "use strict";
  const root = document.querySelector(".minicode");
  if (!root) {
    return;
  }
  const all = (selector) => Array.from(root.querySelectorAll(selector));
  const one = (selector) => root.querySelector(selector);
  const fill = (text, facts) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? facts[name] : whole));

  all("[data-mc-script-hides]").forEach((element) => { element.hidden = true; });

  // ------------------------------------------------------------------------------------------------------- copying
  all("[data-mc-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      window.minicodeCopy(button, one(button.dataset.mcCopy).textContent, button.dataset.mcDone);
    });
  });

  // --------------------------------------------------------------------------------------------------------- menus
  all("[data-mc-menu]").forEach((menu) => {
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
  });

  // ---------------------------------------------------------------------------------------------------------- tabs
  all("[data-mc-tabs]").forEach((bar) => {
    const show = () => {
      const start = bar.scrollLeft > 1;
      const end = bar.scrollLeft + bar.clientWidth < bar.scrollWidth - 1;
      bar.dataset.mcMore = start && end ? "both" : start ? "start" : end ? "end" : "";
    };
    const current = bar.querySelector("[aria-current]");
    if (current) {
      bar.scrollLeft = current.offsetLeft - (bar.clientWidth - current.offsetWidth) / 2;
    }
    bar.addEventListener("scroll", show, { passive: true });
    new ResizeObserver(show).observe(bar);
  });

  all("select[data-mc-submit]").forEach((select) => {
    select.addEventListener("change", () => select.form.requestSubmit());
  });

  // -------------------------------------------------------------------------------------------------------- dialog
  const dialog = one("#mc-delete-dialog");
  if (dialog && dialog.showModal) {
    const title = dialog.querySelector("[data-mc-template]");
    all("[data-mc-delete]").forEach((link) => {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        title.textContent = fill(title.dataset.mcTemplate, { name: link.dataset.mcName });
        dialog.querySelector("form").action = link.dataset.mcDelete;
        dialog.showModal();
      });
    });
    dialog.querySelector("[data-mc-close]").addEventListener("click", () => dialog.close());
  }

  // ---------------------------------------------------------------------------------------------------------- busy
  all("form[data-mc-busy]").forEach((form) => {
    form.addEventListener("submit", (event) => {
      if (form.dataset.mcSent) {
        event.preventDefault();
        return;
      }
      form.dataset.mcSent = "yes";
      const button = form.querySelector("[type=submit]");
      const icon = button.querySelector("i");
      const spinner = document.createElement("span");
      spinner.className = "mc-spinner";
      button.setAttribute("aria-disabled", "true");
      (button.querySelector("span") || button).textContent = form.dataset.mcBusy;
      if (icon) {
        icon.replaceWith(spinner);
      }
      all("[data-mc-working]").forEach((element) => { element.hidden = false; });
      all("[data-mc-idle]").forEach((element) => { element.hidden = true; });
    });
    // Coming back with the browser's "back" shows the page as it was left: busy.
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        window.location.reload();
      }
    });
  });

  // -------------------------------------------------------------------------------------------------------- faults
  const box = one("#mc-faults");
  if (box) {
    box.focus();
  }

  function describe(field, id, isSaid) {
    const others = (field.getAttribute("aria-describedby") || "").split(" ").filter((one) => one && one !== id);
    const told = (isSaid ? [id] : []).concat(others).join(" ");
    if (told) {
      field.setAttribute("aria-describedby", told);
    } else {
      field.removeAttribute("aria-describedby");
    }
  }

  function forgetListed(name) {
    const list = box && box.querySelector("ul");
    const link = list && list.querySelector('a[href="#' + CSS.escape(name) + '"]');
    if (!link) {
      return;
    }
    link.closest("li").remove();
    if (!list.children.length) {
      list.previousElementSibling.remove();
      list.remove();
      box.hidden = !box.querySelector("p");
    }
  }

  // What the server or a script said of a field is over: the field is being corrected.
  function clear(name) {
    const said = one("#" + CSS.escape(name + "-error"));
    all('[name="' + CSS.escape(name) + '"]').forEach((field) => {
      field.removeAttribute("aria-invalid");
      describe(field, name + "-error", false);
    });
    if (said) {
      said.remove();
    }
    forgetListed(name);
  }

  // The same as the server's `parts.fault`, said while one types.
  function show(field, sentence) {
    const said = document.createElement("p");
    const icon = document.createElement("i");
    said.className = "mc-error";
    said.id = field.name + "-error";
    said.dataset.mcLive = "yes";
    icon.className = "fa-solid fa-circle-exclamation";
    icon.setAttribute("aria-hidden", "true");
    said.append(icon, " " + sentence);
    field.after(said);
    field.setAttribute("aria-invalid", "true");
    describe(field, said.id, true);
  }

  // Before other listeners: what they find wrong with the new text is said anew.
  root.addEventListener("input", (event) => {
    if (event.target.name) {
      clear(event.target.name);
    }
  }, true);

  window.minicodeFaults = { clear: clear, show: show };
})();
