// Home: how the services are, what runs, what went wrong within the hour, what was done here.
import { ask, call } from "./api.js";
import { write } from "./address.js";
import { html } from "./html.js";
import { Age, useLive, Waiting } from "./live.js";
import { Acts } from "./log.js";
import { Table } from "./parts.js";
import { ago, moment, number } from "./words.js";

const MACHINES_MAX = 20; // whose executions are asked for
const EXECUTIONS_MAX = 5; // of each
const RUNNING_EVERY_MS = 10000;

export function Home() {
  const live = useLive((signal) => ask("health", undefined, {}, signal), ["health"]);
  const health = live.data;
  return html`<h1>Home</h1>
    <${Waiting} live=${live}>
      <p class="right"><${Age} live=${live} /></p>
      ${health && html`<${Services} health=${health} />`}
    <//>
    <h2>What runs</h2>
    <${Running} />
    ${health && html`<h2>Errors of the last hour</h2><${Errors} health=${health} />`}
    <h2>Done in this browser</h2>
    <${Acts} />`;
}

function Services({ health }) {
  const { mapRuns } = health;
  const logged = health.errorsLastHour.reduce((sum, each) => sum + each.count, 0);
  const figures = [
    ["Open executions", number(health.openExecutions), ""],
    ["Map Runs open", number(mapRuns.open), `of ${number(mapRuns.limit)} at once`],
    ["Map Runs queued", number(mapRuns.waiting), mapRuns.waiting ? "until others end" : ""],
    ["Errors logged", number(logged), "within the hour"],
  ];
  const rows = health.services.map((service) => ({ key: service.service, cells: cellsOf(service, health.date) }));
  return html`<p class=${health.ok ? "done" : "failure"} role=${health.ok ? "status" : "alert"}>${health.ok ? "All services are at work." : health.troubles.map((trouble) => html`<div key=${trouble}>${trouble}</div>`)}</p>
    <div class="figures">${figures.map(([name, value, of]) => html`<div class="figure" key=${name}><div class="quiet">${name}</div><div class="value">${value}</div><div class="quiet">${of}</div></div>`)}</div>
    <${Table} caption="Services" columns=${["Service", "State", "Behind", "Processes"]} rows=${rows} empty="No service has said anything yet." />`;
}

function cellsOf(service, now) {
  const behind = Object.entries(service.recordsBehind).map(([topic, count]) => `${number(count)} of ${topic}`);
  return [
    service.service,
    html`<span class="status" data-status=${service.ok ? "SUCCEEDED" : "FAILED"}>${service.ok ? "at work" : "in trouble"}</span>`,
    behind.length ? behind.map((each) => html`<div key=${each}>${each}</div>`) : "nothing",
    html`<ul class="plain">${service.processes.map((process) => html`<li key=${process.instance}>
      <strong>${process.instance}</strong> <span class=${process.status === "READY" ? "quiet" : "wrong"}>${process.status.replace("_", " ").toLowerCase()}${process.trouble ? `: ${process.trouble}` : ""}</span>
      <span class="quiet"> partitions ${process.partitions.join(", ") || "none"}; started ${moment(process.startDate)}; heard ${ago(now - process.lastReportDate)}</span></li>`)}</ul>`,
  ];
}

function Errors({ health }) {
  const rows = health.errorsLastHour.map((each) => ({ key: `${each.service} ${each.event}`, cells: [each.service, html`<code>${each.event}</code>`, number(each.count)] }));
  return html`<${Table} caption="Errors of the last hour" columns=${["Service", "Event in its log", "Times"]} rows=${rows} empty="No process has logged an error." />`;
}

/** Executions that run, of the machines made last: there is no question for those of all. */
function Running() {
  const live = useLive(async (signal) => {
    const { stateMachines, nextToken } = await call("ListStateMachines", { maxResults: MACHINES_MAX }, signal);
    const standard = stateMachines.filter((machine) => machine.type === "STANDARD");
    const lists = await Promise.all(standard.map((machine) => call("ListExecutions", { stateMachineArn: machine.stateMachineArn, statusFilter: "RUNNING", maxResults: EXECUTIONS_MAX }, signal)));
    return { rows: lists.flatMap((list, place) => list.executions.map((execution) => ({ machine: standard[place], execution }))), more: nextToken !== undefined || lists.some((list) => list.nextToken) };
  }, ["running"], () => false, RUNNING_EVERY_MS);
  const rows = (live.data?.rows ?? []).map(({ machine, execution }) => ({
    key: execution.executionArn,
    cells: [
      html`<a href=${write("execution", execution.executionArn)}>${execution.name}</a>`,
      html`<a href=${write("machine", machine.stateMachineArn)}>${machine.name}</a>`,
      moment(execution.startDate),
    ],
  }));
  return html`<${Waiting} live=${live}>
    <${Table} caption="Executions that run" columns=${["Execution", "State machine", "Started"]} rows=${rows} empty="Nothing runs." />
    ${live.data?.more && html`<p class="quiet">Shown are ${number(EXECUTIONS_MAX)} of each of ${number(MACHINES_MAX)} <a href=${write("machines")}>state machines</a> at most.</p>`}
  <//>`;
}
