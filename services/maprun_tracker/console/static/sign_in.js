// Signing in where the API asks for signatures: with a key of its file, kept in this tab until it is closed.
import { html, useEffect, useState } from "./html.js";
import { Dialog } from "./parts.js";
import { keepKeys, keptKeys } from "./sign.js";

/** Who is signed in, and the form that appears once the API asks for a key. `onChange` loads the view anew. */
export function SignIn({ onChange }) {
  const [asked, ask] = useState("");
  useEffect(() => {
    const wanted = (event) => ask(event.detail);
    addEventListener("sign-in", wanted);
    return () => removeEventListener("sign-in", wanted);
  }, []);
  const keys = keptKeys();
  const done = (changed) => {
    keepKeys(changed);
    ask("");
    onChange();
  };
  return html`${keys && html`<span class="quiet">Key <code>${keys.id}</code></span> <button type="button" class="small" onClick=${() => done(null)}>Sign out</button>`}
    ${asked && html`<${Form} why=${asked} onKeys=${done} onClose=${() => ask("")} />`}`;
}

function Form({ why, onKeys, onClose }) {
  const submit = (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    onKeys(Object.fromEntries(["id", "secret", "token", "region"].map((name) => [name, data.get(name).trim()])));
  };
  return html`<${Dialog} title="Sign in" className="act" onClose=${onClose}>
    <form onSubmit=${submit}>
      <p>The API wants requests to be signed: <span class="quiet">${why}</span></p>
      <label>Access key id <input name="id" required autocomplete="username" spellcheck="false" /></label>
      <label>Secret access key <input name="secret" type="password" required autocomplete="current-password" /></label>
      <label>Session token (of temporary keys) <input name="token" type="password" autocomplete="off" /></label>
      <label>Region <input name="region" required defaultValue=${keptKeys()?.region ?? "us-east-1"} /></label>
      <p class="quiet">They stay in this tab, sign its requests, and are never sent.</p>
      <div class="foot"><button type="submit" class="main">Sign in</button></div>
    </form>
  <//>`;
}
