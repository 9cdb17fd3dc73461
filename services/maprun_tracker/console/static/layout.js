// Where the states of a machine stand when it is drawn. Pure: from a definition to boxes and lines.

const CHAR = 8.5;
const LEAF_HEIGHT = 40;
const GAP_X = 28;
const GAP_Y = 44;
const PAD = 14;
const HEAD = 34;
const LANE = 14;
const LEAF_WIDTH_MIN = 130; // what became of a state has room in it
const INNER_WIDTH_MIN = 220;

/** {width, height, boxes, lines} of StartAt and States; boxes of Parallel and Map hold drawings of their own. */
export function layout(machine) {
  const states = machine?.States;
  if (!states || typeof states !== "object") return { width: 0, height: 0, boxes: [], lines: [] };
  const { order, edges } = walked(states, machine.StartAt);
  const boxes = new Map(order.map((name) => [name, boxOf(name, states[name], name === machine.StartAt)]));
  const rows = ranked(order, edges);
  const width = Math.max(...rows.map((row) => row.reduce((sum, name) => sum + boxes.get(name).width + GAP_X, -GAP_X)));
  let y = PAD;
  for (const row of rows) {
    const own = row.reduce((sum, name) => sum + boxes.get(name).width + GAP_X, -GAP_X);
    let x = PAD + (width - own) / 2;
    for (const name of row) {
      Object.assign(boxes.get(name), { x, y });
      x += boxes.get(name).width + GAP_X;
    }
    y += Math.max(...row.map((name) => boxes.get(name).height)) + GAP_Y;
  }
  const rankOf = new Map(rows.flatMap((row, rank) => row.map((name) => [name, rank])));
  let lanes = 0;
  const right = PAD + width;
  const lines = edges.map(({ from, to, kind }) => {
    const [a, b] = [boxes.get(from), boxes.get(to)];
    if (rankOf.get(to) === rankOf.get(from) + 1) return { from, to, kind, path: straight(a, b) };
    lanes += 1;
    return { from, to, kind, path: around(a, b, right + lanes * LANE) };
  });
  return { width: right + lanes * LANE + PAD, height: y - GAP_Y + PAD, boxes: [...boxes.values()], lines };
}

/** Where a state may lead: [name, kind], kind being next, choice or catch; each once, and only to states that are there. */
export function leadsTo(state, states) {
  const found = new Map();
  const add = (name, kind) => {
    if (typeof name === "string" && Object.hasOwn(states, name) && !found.has(name)) found.set(name, kind);
  };
  add(state.Next, "next");
  for (const choice of listOf(state.Choices)) add(choice?.Next, "choice");
  add(state.Default, "choice");
  for (const catcher of listOf(state.Catch)) add(catcher?.Next, "catch");
  return [...found];
}

function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/** The states, each behind those that lead to it where there is no way back, and all edges; `back` ones close a circle. */
function walked(states, start) {
  const done = new Map();
  const order = [];
  const edges = [];
  const visit = (root) => {
    const waiting = [[root, leadsTo(states[root], states)]];
    done.set(root, false);
    while (waiting.length) {
      const [name, left] = waiting[waiting.length - 1];
      const next = left.shift();
      if (!next) {
        waiting.pop();
        done.set(name, true);
        order.unshift(name);
        continue;
      }
      const [to, kind] = next;
      edges.push({ from: name, to, kind, back: done.get(to) === false });
      if (!done.has(to)) {
        done.set(to, false);
        waiting.push([to, leadsTo(states[to], states)]);
      }
    }
  };
  for (const name of [start, ...Object.keys(states)]) {
    if (typeof name === "string" && Object.hasOwn(states, name) && !done.has(name)) visit(name);
  }
  return { order, edges };
}

/** Rows of names: each state below all that lead to it, neighbours near what leads to them. */
function ranked(order, edges) {
  const rank = new Map(order.map((name) => [name, 0]));
  for (const name of order) {
    for (const { from, to, back } of edges) {
      if (from === name && !back) rank.set(to, Math.max(rank.get(to), rank.get(name) + 1));
    }
  }
  const rows = [];
  for (const name of order) (rows[rank.get(name)] ??= []).push(name);
  const place = new Map();
  for (const row of rows) {
    const near = (name) => {
      const above = edges.filter(({ to, back }) => to === name && !back).map(({ from }) => place.get(from) ?? 0);
      return above.length ? above.reduce((sum, at) => sum + at, 0) / above.length : 0;
    };
    row.sort((a, b) => near(a) - near(b));
    row.forEach((name, at) => place.set(name, at - (row.length - 1) / 2));
  }
  return rows;
}

function boxOf(name, state, start) {
  const inner = innerOf(state).map((machine) => layout(machine)).filter((drawing) => drawing.boxes.length);
  const text = Math.min(260, Math.max(name.length, (state.Type ?? "").length) * CHAR + 2 * PAD);
  const box = { name, type: state.Type ?? "", start, ends: state.End === true || ["Succeed", "Fail"].includes(state.Type) };
  if (!inner.length) return { ...box, width: Math.max(LEAF_WIDTH_MIN, text), height: LEAF_HEIGHT, inner: [] };
  let x = PAD;
  const placed = inner.map((drawing) => {
    const one = { drawing, x, y: HEAD };
    x += drawing.width + PAD;
    return one;
  });
  const width = Math.max(x, text, INNER_WIDTH_MIN);
  for (const one of placed) one.x += (width - x) / 2;
  return { ...box, width, height: HEAD + Math.max(...inner.map((drawing) => drawing.height)) + PAD, inner: placed };
}

function innerOf(state) {
  const found = [...listOf(state.Branches), state.ItemProcessor ?? state.Iterator];
  return found.filter((machine) => machine && typeof machine === "object");
}

function straight(a, b) {
  const [x1, y1, x2, y2] = [a.x + a.width / 2, a.y + a.height, b.x + b.width / 2, b.y];
  const half = (y1 + y2) / 2;
  return `M${x1} ${y1}C${x1} ${half} ${x2} ${half} ${x2} ${y2}`;
}

/** By a lane on the right: for lines that pass rows or lead back. */
function around(a, b, lane) {
  const [x1, y1, x2, y2] = [a.x + a.width, a.y + a.height / 2, b.x + b.width, b.y + b.height / 2 + 6];
  return `M${x1} ${y1}C${lane} ${y1} ${lane} ${y1} ${lane} ${(y1 + y2) / 2}S${lane} ${y2} ${x2} ${y2}`;
}

/** How many states a definition holds, nested ones too. */
export function statesIn(machine) {
  const states = Object.values(machine?.States ?? {});
  return states.reduce((sum, state) => sum + 1 + innerOf(state ?? {}).reduce((more, inner) => more + statesIn(inner), 0), 0);
}
