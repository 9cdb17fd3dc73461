// The frame around every view: which one the address names, where one can go, light or dark.
import { read, write } from "./address.js";
import { Execution } from "./execution.js";
import { Home } from "./home.js";
import { html, render, useEffect, useRef, useState } from "./html.js";
import { Machine, Machines } from "./machines.js";
import { MapRun } from "./map_run.js";
import { SignIn } from "./sign_in.js";
import { nameOf } from "./words.js";

const VIEWS = { home: Home, machines: Machines, machine: Machine, execution: Execution, "map-run": MapRun };
const THEMES = ["auto", "light", "dark"];

function App() {
  const [hash, setHash] = useState(() => location.hash);
  const at = read(hash);
  const [rounds, signed] = useState(0);
  const main = useRef(null);
  useEffect(() => {
    const moved = () => setHash(location.hash);
    addEventListener("hashchange", moved);
    moved(); // the address may have changed since it was read
    return () => removeEventListener("hashchange", moved);
  }, []);
  const place = `${at.view}/${at.arn}`;
  const first = useRef(place);
  useEffect(() => {
    document.title = at.arn ? `${nameOf(at.arn)} · maprun` : "maprun";
    if (first.current !== place) main.current.focus(); // a reader by ear or keyboard is led to what is new
    first.current = place;
  }, [place]);
  const View = VIEWS[at.view];
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>To the content</a>
    <header class="top">
      <a class="brand" href=${write("home")}>maprun</a>
      <nav aria-label="Console" class="places"><a href=${write("home")} aria-current=${at.view === "home" ? "page" : undefined}>Home</a> <a href=${write("machines")} aria-current=${at.view === "machines" ? "page" : undefined}>State machines</a></nav>
      <${Find} />
      <${SignIn} onChange=${() => signed((count) => count + 1)} />
      <${Theme} />
    </header>
    <main id="main" tabindex="-1" ref=${main}><${View} key=${`${place} ${rounds}`} arn=${at.arn} query=${at.query} /></main>`;
}

/** Goes to whatever an ARN names; other texts are looked for in the names of state machines. */
function Find() {
  const [said, say] = useState("");
  const go = (event) => {
    event.preventDefault();
    const arn = new FormData(event.target).get("arn").trim();
    const address = arn.startsWith("arn:") ? addressOf(arn) : arn && write("machines", "", { text: arn });
    say(address || !arn ? "" : "This is no ARN of a state machine, an execution or a Map Run.");
    if (address) location.hash = address;
  };
  return html`<form class="find" role="search" onSubmit=${go}>
    <input name="arn" type="search" aria-label="An ARN, or the name of a state machine" placeholder="ARN, or name of a state machine" />
    ${said && html`<span role="alert" class="wrong">${said}</span>`}
  </form>`;
}

/** The view of an ARN; "" of what has none. */
export function addressOf(arn) {
  const kind = arn.split(":")[5];
  if (!arn.startsWith("arn:") || arn.split(":").length < 7) return "";
  if (kind === "stateMachine") return write("machine", arn);
  if (kind === "mapRun") return write("map-run", arn);
  return kind === "execution" || kind === "express" ? write("execution", arn) : "";
}

function Theme() {
  const [theme, setTheme] = useState(() => localStorage.getItem("theme") ?? "auto");
  useEffect(() => {
    localStorage.setItem("theme", theme);
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  return html`<button type="button" class="small" onClick=${() => setTheme(next)} aria-label=${`Colours: ${theme}. Change to ${next}`}>Colours: ${theme}</button>`;
}

render(html`<${App} />`, document.getElementById("app"));
