// Small pieces that all views are put together of.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { pretty } from "./words.js";

/** An execution's or a Map Run's status: by its word, and by a colour beside it. */
export function Status({ of }) {
  return html`<span class="status" data-status=${of}>${of.replaceAll("_", " ").toLowerCase()}</span>`;
}

/** Pairs of a name and what it says; pairs that say nothing are left out. */
export function Facts({ of }) {
  const said = of.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return html`<dl class="facts">${said.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A button that puts a text on the clipboard and says so. */
export function Copy({ text, name = "Copy" }) {
  const [said, say] = useState("");
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => say(""), 2000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say(copiedByHand(text) ? "Copied" : "Not copied: select it by hand");
    }
  };
  return html`<button type="button" class="small" onClick=${copy}><span aria-live="polite">${said || name}</span></button>`;
}

/** Without TLS a browser offers no clipboard but to a page of this machine: then a selection is copied. */
function copiedByHand(text) {
  const field = document.createElement("textarea");
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/** A JSON text under a heading (`level` is its element), cut at first where it is long. */
export function Json({ name, text, level = "h2" }) {
  const [whole, setWhole] = useState(false);
  if (text === undefined || text === null) return null;
  const shown = pretty(text);
  const cut = !whole && shown.length > CUT_LENGTH;
  return html`<section class="json">
    <${level}>${name} <${Copy} text=${shown} /><//>
    <pre tabindex="0" aria-label=${name}>${cut ? shown.slice(0, CUT_LENGTH) : shown}</pre>
    ${cut && html`<button type="button" class="small" onClick=${() => setWhole(true)}>Show all ${Math.ceil(shown.length / 1024)} KiB</button>`}
  </section>`;
}

const CUT_LENGTH = 20000;

/** A table in a box that scrolls alone. `rows` are arrays of cells with a `key`. */
export function Table({ caption, columns, rows, empty }) {
  if (rows.length === 0) return html`<p class="quiet">${empty}</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <thead><tr>${columns.map((column) => html`<th scope="col" key=${column}>${column}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.key}>${row.cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}

/** Choices of which one is taken, as links: each has an address. `of`: [name, href, taken]. */
export function Choices({ name, of }) {
  return html`<nav class="choices" aria-label=${name}>
    ${of.map(([text, href, taken]) => html`<a key=${text} href=${href} aria-current=${taken ? "true" : undefined}>${text}</a>`)}
  </nav>`;
}

/** A dialogue over the page. Escape and the button close it; `modal` ones hold the keyboard until then. */
export function Dialog({ title, className, onClose, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => { // at once: a key that comes next is the dialogue's
    const [before, shown] = [document.activeElement, dialog.current];
    shown.showModal();
    return () => {
      shown.close(); // while it is open nothing behind it can have the focus
      before?.focus?.();
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${dialog} class=${className} aria-label=${title} onCancel=${cancel}>
    <div class="head"><h2>${title}</h2><button type="button" class="small" onClick=${onClose}>Close</button></div>
    ${children}
  </dialog>`;
}
