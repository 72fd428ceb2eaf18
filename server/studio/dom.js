// Elements are made and filled here; what comes from Odoo only ever becomes text.

export const byID = (id) => document.getElementById(id);

// element makes an element with attributes and children, which are elements or texts.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) {
      made.setAttribute(key, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// debounced returns a function that runs work once it has not been called for some milliseconds.
export function debounced(milliseconds, work) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
}

// tabs makes buttons with role=tab a set of which one is chosen, by click and by arrow keys. It returns a
// function that chooses one.
export function tabs(list, key, choose) {
  const all = () => [...list.querySelectorAll("[role=tab]")].filter((tab) => !tab.hidden);
  const select = (value) => {
    for (const tab of list.querySelectorAll("[role=tab]")) {
      const chosen = tab.dataset[key] === value;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    choose(value);
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) {
      select(tab.dataset[key]);
    }
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const shown = all();
      const next = shown[(shown.indexOf(document.activeElement) + step + shown.length) % shown.length];
      next.focus();
      select(next.dataset[key]);
      event.preventDefault();
    }
  });
  return select;
}

// copy puts a text on the clipboard and says so on the button for a moment.
export async function copy(button, text) {
  const before = button.dataset.label || button.textContent;
  button.dataset.label = before;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Cannot copy";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}
