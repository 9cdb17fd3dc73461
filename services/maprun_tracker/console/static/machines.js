// The state machines, and one machine with its executions and its definition.
import { call } from "./api.js";
import { write } from "./address.js";
import { ActButton, Start } from "./acts.js";
import { Graph } from "./graph.js";
import { html } from "./html.js";
import { Age, useLive, Waiting } from "./live.js";
import { LOOKED_ROWS, More, named, NameSearch, usePages } from "./pages.js";
import { Choices, Facts, Json, Status, Table } from "./parts.js";
import { Diagnostics, Publications } from "./publications.js";
import { duration, moment } from "./words.js";

const ROWS = 50;
const AGAIN_MS = 3000;
const STATUSES = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"];

/** All machines, or those whose name holds `query.text`. */
export function Machines({ query }) {
  const page = (maxResults) => async (nextToken, signal) => {
    const found = await call("ListStateMachines", { maxResults, nextToken }, signal);
    return { rows: found.stateMachines, next: found.nextToken };
  };
  const { text = "" } = query;
  const list = usePages(text ? named(text, page(LOOKED_ROWS)) : page(ROWS), ["machines", text]);
  const rows = (list.rows ?? []).map((machine) => ({
    key: machine.stateMachineArn,
    cells: [
      html`<a href=${write("machine", machine.stateMachineArn)}>${machine.name}</a>`,
      machine.type.toLowerCase(),
      moment(machine.creationDate),
    ],
  }));
  return html`<h1>State machines</h1>
    <${NameSearch} what="state machines" text=${text} at=${(wanted) => write("machines", "", { text: wanted })} list=${list} />
    ${list.rows && html`<${Table} caption="State machines" columns=${["Name", "Type", "Made"]} rows=${rows}
      empty=${text ? "No state machine is called so." : "There is no state machine yet. maprun deploy FILE makes one, and so does any tool that speaks to AWS."} />`}
    <${More} list=${list} />`;
}

/** One machine. `query.status` and `query.text` narrow its executions; `query.tab` is definition, versions or nothing. */
export function Machine({ arn, query }) {
  const live = useLive((signal) => call("DescribeStateMachine", { stateMachineArn: arn }, signal), [arn], () => true);
  const machine = live.data;
  const at = (changed) => write("machine", arn, { status: query.status, text: query.text, tab: query.tab, ...changed });
  return html`<h1>${machine?.name ?? "State machine"}</h1>
    <${Waiting} live=${live}>
      <div class="acts">
        <${ActButton} name="Start an execution" when=${machine?.type === "STANDARD"} of=${(close) => html`<${Start} machineArn=${arn} onClose=${close} />`} />
      </div>
      <${Facts} of=${[
        ["ARN", html`<code>${arn}</code>`],
        ["Type", machine?.type.toLowerCase()],
        ["Role", machine && html`<code>${machine.roleArn}</code>`],
        ["Made", moment(machine?.creationDate)],
        ["Description", machine?.description],
      ]} />
      <${Choices} name="Parts of this page" of=${[
        ["Executions", at({ tab: "" }), !query.tab],
        ["Definition", at({ tab: "definition" }), query.tab === "definition"],
        ["Versions and aliases", at({ tab: "versions" }), query.tab === "versions"],
      ]} />
      ${machine && partOf(machine, query, at)}
    <//>`;
}

function partOf(machine, query, at) {
  const { stateMachineArn: arn, definition, type } = machine;
  if (query.tab === "definition") return html`<${Diagnostics} definition=${definition} type=${type} /><${Graph} definition=${definition} /><${Json} name="Definition" text=${definition} />`;
  if (query.tab === "versions") return html`<${Publications} arn=${arn} />`;
  return html`<${Executions} arn=${arn} status=${query.status} text=${query.text} at=${at} />`;
}

function Executions({ arn, status, text = "", at }) {
  const page = (maxResults) => (token, signal) => listed(arn, status, maxResults, token, signal);
  const list = usePages(text ? named(text, page(LOOKED_ROWS)) : page(ROWS), [arn, status ?? "", text], text ? 0 : AGAIN_MS);
  const choices = [["All", at({ status: "" }), !status], ...STATUSES.map((each) => [each.replace("_", " ").toLowerCase(), at({ status: each }), status === each])];
  const rows = (list.rows ?? []).map((execution) => ({ key: execution.executionArn, cells: executionCells(execution) }));
  return html`<${Choices} name="Status" of=${choices} />
    <${NameSearch} what="executions" text=${text} at=${(wanted) => at({ text: wanted })} list=${list} />
    <p class="right"><${Age} live=${list} over=${list.pages > 1 || text} /></p>
    ${list.rows && html`<${Table} caption="Executions" columns=${EXECUTION_COLUMNS} rows=${rows}
      empty=${text ? "No execution is called so." : status ? "No execution is in this state." : "This machine has not been started yet."} />`}
    <${More} list=${list} />`;
}

async function listed(stateMachineArn, statusFilter, maxResults, nextToken, signal) {
  const members = { stateMachineArn, statusFilter: statusFilter || undefined, maxResults, nextToken };
  const page = await call("ListExecutions", members, signal);
  return { rows: page.executions, next: page.nextToken };
}

export const EXECUTION_COLUMNS = ["Name", "Status", "Started", "Took", "Redriven"];

/** The cells of an execution in a list. */
export function executionCells(execution, href = write("execution", execution.executionArn)) {
  const took = execution.stopDate === undefined ? undefined : execution.stopDate - execution.startDate;
  return [
    html`<a href=${href}>${execution.name}</a>`,
    html`<${Status} of=${execution.status} />`,
    moment(execution.startDate),
    took === undefined ? "–" : duration(took),
    execution.redriveCount ? `${execution.redriveCount} ×` : "",
  ];
}
