// What changes something: each act asks once, says what it did, and keeps what was typed when the API says no.
import { act as actOf, call } from "./api.js";
import { write } from "./address.js";
import { html, useState } from "./html.js";
import { keepAct } from "./log.js";
import { Dialog } from "./parts.js";
import { childrenOf, nameOf } from "./words.js";

/**
 * A form in a dialogue. `act()` gives what says that it was done; a refusal leaves the form as it is. `on` is the ARN of
 * what is acted on, for the log.
 */
function Act({ title, verb, grave, on, act, onClose, onDone, children }) {
  const [state, setState] = useState({ busy: false, refusal: "", done: undefined });
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true, refusal: "", done: undefined });
    try {
      const done = await act();
      keepAct(title, nameOf(on), typeof done === "string" ? done : "");
      setState({ busy: false, refusal: "", done });
      onDone?.();
    } catch (error) {
      setState({ busy: false, refusal: `${error.code ?? error.name}: ${error.message}`, done: undefined });
    }
  };
  return html`<${Dialog} title=${title} className="act" onClose=${onClose}>
    <form onSubmit=${submit}>
      ${state.done === undefined && children}
      ${state.refusal && html`<p class="failure" role="alert">${state.refusal}</p>`}
      ${state.done !== undefined && html`<p class="done" role="status">${state.done}</p>`}
      <div class="foot">
        ${state.done === undefined
          ? html`<button type="submit" class=${grave ? "grave" : "main"} disabled=${state.busy}>${state.busy ? "Working …" : verb}</button>`
          : html`<button type="button" class="main" onClick=${onClose}>Close</button>`}
      </div>
    </form>
  <//>`;
}

/**
 * A button that opens a dialogue, which `of(close)` makes. It is there `when` the act is possible; its dialogue stays until
 * it is closed, though the act has made itself impossible.
 */
export function ActButton({ name, grave, of, when = true }) {
  const [open, setOpen] = useState(false);
  return html`${when && html`<button type="button" class=${grave ? "grave" : ""} onClick=${() => setOpen(true)}>${name}</button>`}
    ${open && of(() => setOpen(false))}`;
}

/** StopExecution. */
export function Stop({ arn, what, onClose, onDone }) {
  const [error, setError] = useState("");
  const [cause, setCause] = useState("");
  const act = async () => {
    await call("StopExecution", { executionArn: arn, error: error || undefined, cause: cause || undefined });
    return "Stopped: it ends ABORTED, with all that it started.";
  };
  return html`<${Act} title="Stop" verb="Stop it" grave on=${arn} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>${what} ends ABORTED, and so does all that it started. What has ended stays as it is; a redrive can go on from here.</p>
    <label>Error (may be empty) <input value=${error} maxlength="256" onInput=${(event) => setError(event.target.value)} /></label>
    <label>Cause (may be empty) <textarea rows="2" value=${cause} onInput=${(event) => setCause(event.target.value)}></textarea></label>
  <//>`;
}

/** RedriveExecution. `lost` says how many children run again where that is known. */
export function Redrive({ arn, lost, onClose, onDone }) {
  const [token] = useState(newToken);
  const act = async () => {
    await call("RedriveExecution", { executionArn: arn, clientToken: token });
    return "Redriven: what had not succeeded runs again.";
  };
  return html`<${Act} title="Redrive" verb="Redrive" on=${arn} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>What failed, timed out or was aborted runs again${lost ? `: ${lost}` : ""}. What succeeded is not run again.</p>
  <//>`;
}

/**
 * The chosen children of the Map Run `run` alone: by `children`, flat (first, count, …), or by `arns`; `count` of them.
 * `href` is where they are listed.
 */
export function RedriveChildren({ run, children = [], arns = [], count, href, onClose }) {
  const [clientToken] = useState(newToken);
  const act = async () => {
    await actOf("redrive", { mapRunArn: run, children, executionArns: arns, clientToken });
    return html`Redriven: ${childrenOf(count)} ${count === 1 ? "runs" : "run"} again. <a href=${href} onClick=${onClose}>Look at them</a>`;
  };
  return html`<${Act} title="Redrive these" verb=${`Redrive ${childrenOf(count)}`} on=${run} act=${act} onClose=${onClose}>
    <p>Of this Map Run ${childrenOf(count)} ${count === 1 ? "runs" : "run"} again, and no others. Once they are answered the rest counts as it stands: unless it is tolerated, the Map Run fails again, with Maprun.RedrivenInPart.</p>
  <//>`;
}

function newToken() {
  return `console-${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

const LIMITS = [
  ["maxConcurrency", "Children at once", "0 = no limit of its own", "1"],
  ["toleratedFailureCount", "Failed items tolerated", "0 = not counted", "1"],
  ["toleratedFailurePercentage", "Per cent of failed items tolerated", "0 = not counted", "any"],
];

/** UpdateMapRun: what is left as it was is not sent. */
export function Update({ run, onClose, onDone }) {
  const [values, setValues] = useState(() => Object.fromEntries(LIMITS.map(([member]) => [member, String(run[member])])));
  const act = async () => {
    const changed = LIMITS.filter(([member]) => values[member] !== "" && Number(values[member]) !== run[member]);
    if (changed.length === 0) return "Nothing was changed.";
    const members = Object.fromEntries(changed.map(([member]) => [member, Number(values[member])]));
    await call("UpdateMapRun", { mapRunArn: run.mapRunArn, ...members });
    return `Changed: ${changed.map(([member, name]) => `${name.toLowerCase()} from ${run[member]} to ${values[member]}`).join(", ")}.`;
  };
  return html`<${Act} title="Change limits" verb="Change" on=${run.mapRunArn} act=${act} onClose=${onClose} onDone=${onDone}>
    ${LIMITS.map(
      ([member, name, hint, step]) => html`<label key=${member}>${name} <small>${hint}</small>
        <input type="number" min="0" step=${step} max=${member === "toleratedFailurePercentage" ? 100 : undefined} value=${values[member]}
          onInput=${(event) => setValues({ ...values, [member]: event.target.value })} /></label>`,
    )}
  <//>`;
}

/** StartExecution; the input is checked for being JSON as it is typed. */
export function Start({ machineArn, onClose }) {
  const [name, setName] = useState("");
  const [input, setInput] = useState("{}");
  const wrong = notJson(input);
  const act = async () => {
    if (wrong) throw new SyntaxError(wrong);
    const started = await call("StartExecution", { stateMachineArn: machineArn, name: name || undefined, input });
    return html`Started: <a href=${write("execution", started.executionArn)}>${started.executionArn}</a>`;
  };
  return html`<${Act} title="Start an execution" verb="Start" on=${machineArn} act=${act} onClose=${onClose}>
    <label>Name (may be empty) <input value=${name} maxlength="80" onInput=${(event) => setName(event.target.value)} /></label>
    <label>Input <textarea rows="10" class="code" spellcheck="false" value=${input} aria-invalid=${wrong ? "true" : undefined}
      onInput=${(event) => setInput(event.target.value)}></textarea></label>
    <p class=${wrong ? "wrong" : "quiet"} role="status">${wrong || "This is JSON."}</p>
  <//>`;
}

/** Why a text is not JSON; empty when it is. */
export function notJson(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `Not JSON: ${error.message}`;
  }
}
