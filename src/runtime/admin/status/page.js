// The page: reads samples, keeps an hour of points, and shows both.

const HOUR = 3600e3;
const FINE = 300e3;
const KINDS = ["file", "activity", "notification", "custom"];
const $ = (id) => document.getElementById(id);

const NAMES = { redis: "Redis", database: "Database", nextcloud: "Nextcloud", memory: "Events" };
const ROLES = {
  redis: "source of events",
  database: "mounts and app passwords",
  nextcloud: "checks other logins",
  memory: "in memory, in this demo",
};
const STATES = { up: "up", down: "down", untried: "unknown" };
const OUTCOMES = {
  accepted: "accepted", rejected: "wrong credentials", unavailable: "back end unavailable", throttled: "throttled",
  busy: "too many at once", timed_out: "timed out", abandoned: "disconnected",
};
const ENDS = {
  client: "closed by the client", lost: "connection lost", silent: "no answer to a ping", slow: "too slow",
  protocol: "protocol error", expired: "maximum age", revoked: "revoked",
  reset: "reset", shutdown: "restart", internal: "internal error",
};
const QUEUES = { events: "from Redis", recipients: "audience lookup", hub: "to clients", passwords: "password hashes", nextcloud: "for Nextcloud" };

const state = { points: [], minute: [], now: null, range: FINE, window: "all", heard: 0 };

// --- points over time

function pointOf(sample) {
  const sent = KINDS.map((topic) => sum(sample, "messages_sent_total", { topic }));
  return [sample.at, [sum(sample, "connections"), sum(sample, "users"), sum(sample, "events_received_total"), ...sent]];
}

function past(told) {
  const { series, points } = told;
  state.told = told;
  const order = ["connections", "users", "events", ...KINDS].map((name) => series.indexOf(name));
  const known = points.map(([at, values]) => [at, order.map((index) => values[index])]);
  const first = state.points[0]?.[0] ?? Infinity;
  state.points = [...known.filter(([at]) => at < first), ...state.points];
  const [begun, latest] = [known[0]?.[0], known.at(-1)?.[0]];
  if (!state.now && latest - begun > 2 * FINE) document.querySelector("button[data-range='3600']").click();
}

/** An hour, each second of the last five minutes, every tenth before. */
function keep(point) {
  const { points } = state;
  points.push(point);
  const old = point[0] - FINE;
  const index = points.findIndex(([at], index) => index > 0 && at > points[index - 1][0] && at - points[index - 1][0] < 9e3);
  if (index > 0 && points[index][0] < old) points.splice(index, 1);
  while (points.length && points[0][0] < point[0] - HOUR) points.shift();
}

/** What a second brought, at each point: over the ten before it, which is steadier than over one;
 *  nothing over a restart. */
function rates(points, index) {
  const found = [];
  let first = 0;
  for (let place = 1; place < points.length; place += 1) {
    const now = points[place];
    while (first < place - 1 && points[first + 1][0] <= now[0] - 9.5e3) first += 1;
    const grown = now[1][index] - points[first][1][index];
    const seconds = (now[0] - points[first][0]) / 1000;
    if (seconds > 0) found.push([now[0], Math.max(0, grown) / seconds]);
  }
  return found;
}

function pace(index) {
  return rates(state.points.slice(-15), index).at(-1)?.[1] ?? 0;
}

// --- what is shown

const clients = new LineChart("clients", (value) => number(value), 4);
const sent = new LineChart("sent", (value) => rate(value), 1);
const latency = new Bars("latency");

function text(id, value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
}

function pairs(id, rows) {
  $(id).replaceChildren(...rows.flatMap(([name, value]) => {
    const [term, data] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    data.textContent = value;
    return [term, data];
  }));
}

function cells(id, rows) {
  const body = document.querySelector(`#${id} tbody`);
  body.replaceChildren(...rows.map(([name, ...values]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    values.forEach((value) => (row.insertCell().textContent = value));
    return row;
  }));
}

function show(sample) {
  state.now = sample;
  state.heard = Date.now();
  state.minute.push(sample);
  while (state.minute.length > 1 && state.minute[1].at <= sample.at - 60e3) state.minute.shift();
  keep(pointOf(sample));
  verdict(sample);
  services(sample.health.dependencies);
  dependencies(sample.health.dependencies);
  figures(sample);
}

function figures(sample) {
  tiles(sample);
  lines();
  latencies(sample);
  logins(sample);
  waiting(sample);
  received(sample);
  store(sample);
  ends(sample);
  level(sample.log);
}

function verdict({ health, figures, at }) {
  const [labels] = figures.notify_push_build_info?.[0] ?? [{}];
  text("version", labels.version ?? "");
  const started = figures.process_start_time_seconds?.[0]?.[1];
  const down = health.dependencies.filter(({ needed, state }) => needed && state !== "up");
  const why = down.map(({ name, state }) => `${NAMES[name] ?? name} ${STATES[state]}`).join(", ");
  $("verdict").dataset.state = health.ready ? "up" : "down";
  text("verdict-text", health.ready ? "ready" : `not ready: ${why}`);
  document.title = `${health.ready ? "" : "▲ "}notify_push`;
  text("live", `live, ${clock(at)}${started ? ` · up for ${lasting(at / 1000 - started)}` : ""}`);
}

/** Where there are several, one can be looked at alone. The past is only known of all together. */
function services(list) {
  const names = [...new Set(list.map(({ service }) => service).filter(Boolean))];
  const select = $("service").querySelector("select");
  if (names.length < 2 || select.options.length > names.length) return;
  select.append(...names.map((name) => new Option(name, name)));
  $("service").hidden = false;
  select.addEventListener("change", () => {
    ofService = select.value;
    state.points = [];
    state.minute = state.minute.slice(-1);
    show(state.now);
    if (!ofService && state.told) past(state.told);
  });
}

function dependencies(list) {
  const items = list.filter(({ service }) => !ofService || service === ofService).map(({ name, service, needed, state, seconds, why }) => {
    const item = document.createElement("li");
    item.className = "card";
    item.dataset.state = state;
    const add = (tag, kind, content) => {
      const element = document.createElement(tag);
      element.className = kind;
      element.textContent = content;
      item.append(element);
    };
    add("span", "mark", "");
    add("span", "name", `${service ? `${service}: ` : ""}${NAMES[name] ?? name}`);
    add("span", "state", `${STATES[state]}${seconds === undefined ? "" : ` for ${lasting(seconds)}`}`);
    add("span", "role dim", `${ROLES[name] ?? ""}${needed ? "" : " · not needed to be ready"}`);
    if (why) add("span", "why", why);
    return item;
  });
  $("dependencies").replaceChildren(...items);
}

function tiles(sample) {
  text("connections", number(sum(sample, "connections")));
  text("connections-note", `${number(sum(sample, "unauthenticated_connections"))} not logged in`);
  text("users", number(sum(sample, "users")));
  text("users-note", `${number(sum(sample, "connections_total"))} sessions so far`);
  text("events", rate(pace(2)));
  text("events-note", `${number(sum(sample, "events_received_total"))} so far`);
  text("messages", rate(KINDS.reduce((sum, _, index) => sum + pace(3 + index), 0)));
  text("messages-note", `${number(sum(sample, "messages_sent_total"))} so far`);
  const minute = histogram(sample, state.minute[0], "lateness_seconds");
  const late = minute.total ? minute : histogram(sample, null, "lateness_seconds");
  text("late", span(quantile(late, 0.99)));
  text("late-note", minute.total ? "in the last minute" : "since the start");
}

function lines() {
  const to = state.points.at(-1)[0];
  const from = to - state.range;
  const points = state.points.filter(([at], index) => (state.points[index + 1]?.[0] ?? at) >= from);
  const gauge = (index) => points.filter(([at]) => at >= from).map(([at, values]) => [at, values[index]]);
  clients.show([{ name: "connections", points: gauge(0) }, { name: "users", points: gauge(1) }], from, to);
  const kinds = KINDS.map((name, index) => ({ name, points: rates(points, 3 + index).filter(([at]) => at >= from) }));
  sent.show(kinds, from, to);
}

function latencies(sample) {
  const before = state.window === "minute" ? state.minute[0] : null;
  latency.show(histogram(sample, before, "delivery_seconds"));
  cells("latency-table", [...by(sample, "delivery_seconds_count", "topic").keys()].map((topic) => {
    const one = histogram(sample, before, "delivery_seconds", { topic });
    return [topic, number(one.total), span(quantile(one, 0.5)), span(quantile(one, 0.99))];
  }));
}

function logins(sample) {
  const outcomes = [...by(sample, "logins_total", "outcome")].filter(([, count]) => count > 0);
  const most = Math.max(...outcomes.map(([, count]) => count), 0);
  const row = ([name, count]) => [OUTCOMES[name] ?? name, count, number(count), name !== "accepted"];
  bars("outcomes", outcomes.map(row), most, "none so far");
  cells("methods", [...by(sample, "login_checks_total", "method").keys()].map((method) => {
    const of = (verdict) => number(sum(sample, "login_checks_total", { method, verdict }));
    const took = histogram(sample, null, "login_check_seconds", { method });
    return [method, of("accept"), of("reject"), of("abstain"), of("unavailable"), span(quantile(took, 0.5)), span(quantile(took, 0.99))];
  }));
}

function waiting(sample) {
  const meant = histogram(sample, null, "debounce_seconds");
  pairs("waiting", [
    ["pending notices", number(sum(sample, "pending_notices"))],
    ["debounce, median", span(quantile(meant, 0.5))],
    ["debounce, 99 %", span(quantile(meant, 0.99))],
    ["clients blocked", number(sum(sample, "clients_blocked"))],
    ["times blocked", number(sum(sample, "sockets_blocked_total"))],
    ["slow clients closed", number(sum(sample, "pending_notices_overflows_total"))],
  ]);
  const capacity = by(sample, "queue_capacity", "queue");
  const rows = [...by(sample, "queue_depth", "queue")].map(([name, depth]) => {
    const most = capacity.get(name) ?? 1;
    return [QUEUES[name] ?? name, depth / most, `${number(depth)} of ${number(most)}`, depth > 0.8 * most];
  });
  bars("queues", rows, 1, "none");
}

function received(sample) {
  const channels = [...by(sample, "events_received_total", "channel")].filter(([, count]) => count > 0);
  channels.sort(([, a], [, b]) => b - a);
  const most = Math.max(...channels.map(([, count]) => count), 0);
  const rows = channels.map(([name, count]) => [name.replace("notify_", "").replaceAll("_", " "), count, number(count), false]);
  bars("received", rows, most, "none so far");
  pairs("trouble", [
    ["malformed", number(sum(sample, "events_malformed_total"))],
    ["gaps in the subscription", number(sum(sample, "source_gaps_total"))],
    ["reconnects", number(sum(sample, "source_reconnects_total"))],
  ]);
}

function store(sample) {
  const took = (name) => histogram(sample, null, name);
  const [queries, mapping] = [took("database_query_seconds"), took("mapping_query_seconds")];
  pairs("store", [
    ["queries", number(queries.total)],
    ["failed queries", number(queries.total - sum(sample, "database_queries_total", { outcome: "answered" }))],
    ["query, median", span(quantile(queries, 0.5))],
    ["query, 99 %", span(quantile(queries, 0.99))],
    ["mount lookup, 99 %", span(quantile(mapping, 0.99))],
  ]);
}

function ends(sample) {
  const reasons = [...by(sample, "sessions_ended_total", "reason")].filter(([, count]) => count > 0);
  const most = Math.max(...reasons.map(([, count]) => count), 0);
  const good = ["client", "expired", "reset", "shutdown"];
  bars("ends", reasons.map(([name, count]) => [ENDS[name] ?? name, count, number(count), !good.includes(name)]), most, "none so far");
  const before = state.minute[0];
  const seconds = (sample.at - before.at) / 1000;
  const cpu = (sum(sample, "process_cpu_seconds_total") - sum(before, "process_cpu_seconds_total")) / seconds;
  pairs("process", [
    ["memory", bytes(sum(sample, "process_resident_memory_bytes"))],
    ["processor, last minute", seconds > 0 ? `${number(cpu * 100, 1)} %` : "–"],
    ["descriptors", `${number(sum(sample, "process_open_fds"))} of ${number(sum(sample, "process_max_fds"))}`],
  ]);
}

function warned(list) {
  const items = list.reverse().map(({ at, level, target, text }) => {
    const item = document.createElement("li");
    item.dataset.level = level;
    const add = (tag, kind, content) => {
      const element = document.createElement(tag);
      element.className = kind;
      element.textContent = content;
      return element;
    };
    const said = add("span", "text", text);
    said.append(add("span", "target dim", target));
    item.append(add("time", "dim", clock(at)), add("span", "level", level === "warn" ? "warning" : level), said);
    item.firstChild.dateTime = new Date(at).toISOString();
    return item;
  });
  if (items.length) $("warnings").replaceChildren(...items);
}

// --- the log level

const LEVELS = ["off", "error", "warn", "info", "debug", "trace"];

function level(current) {
  const select = $("level");
  if (select.dataset.current === current) return;
  select.dataset.current = current;
  const options = LEVELS.includes(current) ? LEVELS : [current, ...LEVELS];
  select.replaceChildren(...options.map((name) => new Option(name, name, name === current, name === current)));
}

async function log(method, body) {
  const said = $("log-said");
  try {
    const answer = await fetch("log-level", { method, body });
    const words = (await answer.text()).trim();
    said.textContent = answer.ok ? `now ${words}` : words;
    if (answer.ok) level(words);
  } catch {
    said.textContent = "not reachable";
  }
}

$("log").addEventListener("submit", (event) => {
  event.preventDefault();
  log("PUT", $("level").value);
});
$("restore").addEventListener("click", () => log("DELETE"));

function choose(attribute, set) {
  const buttons = document.querySelectorAll(`button[data-${attribute}]`);
  buttons.forEach((button) => button.addEventListener("click", () => {
    buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    set(button.dataset[attribute]);
  }));
}
choose("range", (seconds) => {
  state.range = Number(seconds) * 1000;
  if (state.now) lines();
});
choose("window", (which) => {
  state.window = which;
  if (state.now) latencies(state.now);
});

// --- the demo: two real clients

function play({ socket, people, acts }) {
  if (!socket || !$("play").hidden) return;
  $("play").hidden = false;
  let pressed = null;
  $("acts").replaceChildren(...acts.map(({ id, label, about }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.title = about;
    button.dataset.act = id;
    button.addEventListener("click", () => {
      pressed = performance.now();
      fetch(`status/act/${id}`, { method: "POST" });
    });
    return button;
  }));
  $("people").replaceChildren(...people.map((person) => client(socket, person, () => pressed)));
}

function client(url, { name, password }, pressed) {
  const box = document.createElement("div");
  box.className = "person";
  box.id = `client-${name}`;
  box.innerHTML = '<h3><span class="mark" aria-hidden="true"></span><span></span><span class="dim"></span></h3><ol aria-live="polite"></ol>';
  const [heading, list] = box.children;
  heading.children[1].textContent = name;
  const is = (state, words) => {
    heading.dataset.state = state;
    heading.children[2].textContent = words;
  };
  const connect = () => {
    is("untried", "connecting");
    const socket = new WebSocket(url);
    socket.onopen = () => [name, password].forEach((word) => socket.send(word));
    socket.onmessage = ({ data }) => {
      if (data === "authenticated") {
        is("up", "logged in, not subscribed yet");
        return socket.send("listen notify_file_id");
      }
      is("up", "logged in");
      const [item, when, code] = ["li", "span", "code"].map((tag) => document.createElement(tag));
      const since = pressed() === null ? null : (performance.now() - pressed()) / 1000;
      when.textContent = since === null || since > 30 ? clock(Date.now()) : `+${span(since)}`;
      code.textContent = data;
      item.append(when, code);
      list.prepend(item);
      while (list.children.length > 6) list.lastChild.remove();
    };
    socket.onclose = () => {
      is("down", "disconnected, reconnecting");
      setTimeout(connect, 2000);
    };
  };
  connect();
  return box;
}

// --- the stream

function listen() {
  const stream = new EventSource("status/events");
  const on = (name, act) => stream.addEventListener(name, ({ data }) => act(JSON.parse(data)));
  on("history", past);
  on("play", play);
  on("warnings", warned);
  on("sample", show);
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
}

setInterval(() => {
  const silence = Date.now() - state.heard;
  if (state.heard && silence > 5000) {
    text("live", `no answer for ${lasting(silence / 1000)}`);
    $("verdict").dataset.state = "untried";
    text("verdict-text", "no answer");
  }
}, 1000);

listen();
