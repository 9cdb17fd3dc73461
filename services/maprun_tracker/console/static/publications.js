// What a state machine was published as, and what there is to say against its definition.
import { call } from "./api.js";
import { html } from "./html.js";
import { useLive, Waiting } from "./live.js";
import { More, usePages } from "./pages.js";
import { Table } from "./parts.js";
import { moment, nameOf, percent } from "./words.js";

const ROWS = 50;
const ALIASES = 20; // of a page: each is asked where it leads

/** Its versions, the newest first, and its aliases with the versions that they lead to. */
export function Publications({ arn }) {
  const versions = usePages(async (nextToken, signal) => {
    const page = await call("ListStateMachineVersions", { stateMachineArn: arn, maxResults: ROWS, nextToken }, signal);
    return { rows: page.stateMachineVersions, next: page.nextToken };
  }, ["versions", arn]);
  const aliases = usePages(async (nextToken, signal) => {
    const page = await call("ListStateMachineAliases", { stateMachineArn: arn, maxResults: ALIASES, nextToken }, signal);
    const rows = await Promise.all(page.stateMachineAliases.map(({ stateMachineAliasArn }) => call("DescribeStateMachineAlias", { stateMachineAliasArn }, signal)));
    return { rows, next: page.nextToken };
  }, ["aliases", arn]);
  const versionRows = (versions.rows ?? []).map((version) => ({
    key: version.stateMachineVersionArn,
    cells: [nameOf(version.stateMachineVersionArn), moment(version.creationDate), html`<code>${version.stateMachineVersionArn}</code>`],
  }));
  const aliasRows = (aliases.rows ?? []).map((alias) => ({
    key: alias.stateMachineAliasArn,
    cells: [alias.name, alias.routingConfiguration.map((route) => html`<div key=${route.stateMachineVersionArn}>${percent(route.weight / 100)} to version ${nameOf(route.stateMachineVersionArn)}</div>`), moment(alias.updateDate), alias.description ?? ""],
  }));
  return html`<h2>Versions</h2>
    ${versions.rows && html`<${Table} caption="Versions" columns=${["Version", "Published", "ARN"]} rows=${versionRows} empty="No version has been published." />`}
    <${More} list=${versions} />
    <h2>Aliases</h2>
    ${aliases.rows && html`<${Table} caption="Aliases" columns=${["Alias", "Leads to", "Changed", "Description"]} rows=${aliasRows} empty="There is no alias." />`}
    <${More} list=${aliases} />`;
}

/** What ValidateStateMachineDefinition says of it. */
export function Diagnostics({ definition, type }) {
  const live = useLive((signal) => call("ValidateStateMachineDefinition", { definition, type, severity: "WARNING" }, signal), ["diagnostics", definition, type], () => true);
  const found = live.data?.diagnostics ?? [];
  const rows = found.map((each, place) => ({ key: place, cells: [each.message, each.severity.toLowerCase(), html`<code>${each.code}</code>`, html`<code>${each.location ?? ""}</code>`] }));
  return html`<${Waiting} live=${live}>
    ${rows.length === 0 ? html`<p class="quiet">Nothing is to be said against this definition.</p>`
      : html`<${Table} caption="Diagnostics" columns=${["What", "Severity", "Code", "Where"]} rows=${rows} />`}
  <//>`;
}
