// Charts in SVG, drawn to the pixel so that their text stays readable on a phone.

const SVG = "http://www.w3.org/2000/svg";
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

function draw(parent, name, attributes = {}, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** Round numbers from 0 to at least `most`. */
function ticks(most) {
  const rough = Math.max(most, 1e-9) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((unit) => unit * power).find((unit) => unit >= rough);
  return [0, 1, 2, 3].map((index) => index * step);
}

/** Lines over time. `series`: [{name, points: [[at, value]]}]; `says`: how a value is worded. */
class LineChart {
  constructor(id, says, least) {
    this.svg = document.getElementById(id + "-chart");
    this.read = document.getElementById(id + "-read");
    this.label = this.svg.getAttribute("aria-label");
    this.says = says;
    this.least = least;
    this.at = null;
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.look(null));
    this.svg.addEventListener("blur", () => this.look(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.render()).observe(this.svg);
  }

  show(series, from, to) {
    Object.assign(this, { series, from, to });
    this.render();
  }

  /** Where things are: room for numbers on the left and for names on the right. */
  frame() {
    const [width, height] = [this.svg.clientWidth, this.svg.clientHeight];
    return { left: 38, right: Math.max(60, width - 92), top: 8, bottom: height - 20, width, height };
  }

  point(x) {
    if (!this.series) return;
    const { left, right } = this.frame();
    const share = Math.min(1, Math.max(0, (x - left) / (right - left)));
    this.look(this.from + share * (this.to - this.from));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.series) return;
    event.preventDefault();
    const at = (this.at ?? this.to) + (step * (this.to - this.from)) / 60;
    this.read.setAttribute("aria-live", "polite");
    this.look(Math.min(this.to, Math.max(this.from, at)));
  }

  look(at) {
    this.at = at;
    this.render();
  }

  render() {
    if (!this.series || !this.svg.clientWidth) return;
    const frame = this.frame();
    const { left, right, top, bottom } = frame;
    const most = Math.max(this.least, ...this.series.flatMap(({ points }) => points.map(([, value]) => value)));
    const marks = ticks(most);
    const x = (at) => left + ((at - this.from) / (this.to - this.from)) * (right - left);
    const y = (value) => bottom - (value / marks.at(-1)) * (bottom - top);
    this.svg.replaceChildren();
    for (const mark of marks) {
      draw(this.svg, "line", { class: "grid", x1: left, x2: right, y1: y(mark), y2: y(mark) });
      draw(this.svg, "text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, short(mark));
    }
    for (const share of [0, 0.5, 1]) {
      const anchor = share === 1 ? "end" : share ? "middle" : "start";
      const at = this.from + share * (this.to - this.from);
      const place = { x: x(at), y: bottom + 15, "text-anchor": anchor };
      draw(this.svg, "text", place, clock(at).slice(0, 5));
    }
    this.series.forEach(({ points }, index) => this.line(points, index, x, y, bottom));
    this.names(right, top, bottom, y);
    this.cross(x, top, bottom);
  }

  line(points, index, x, y, bottom) {
    if (!points.length) return;
    const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
    if (index === 0) {
      const [first, last] = [points[0], points.at(-1)].map(([at]) => x(at).toFixed(1));
      draw(this.svg, "polygon", { class: "fill", points: `${first},${bottom} ${path.join(" ")} ${last},${bottom}` });
    }
    draw(this.svg, "polyline", { class: `line s${index}`, "stroke-dasharray": DASHES[index], points: path.join(" ") });
  }

  /** Each line is named at its end; names that would overlap are moved apart. */
  names(right, top, bottom, y) {
    const named = this.series.map(({ name, points }, index) => ({ name, index, at: y(points.at(-1)?.[1] ?? 0) }));
    named.sort((a, b) => a.at - b.at);
    named.forEach((one, place) => {
      one.at = Math.max(one.at, place ? named[place - 1].at + 13 : top);
    });
    const below = (named.at(-1)?.at ?? 0) - bottom;
    for (const { name, index, at } of named) {
      const up = below > 0 ? below : 0;
      draw(this.svg, "line", { class: `line s${index}`, "stroke-dasharray": DASHES[index], x1: right + 5, x2: right + 19, y1: at - up, y2: at - up });
      draw(this.svg, "text", { class: `name s${index}`, x: right + 23, y: at - up + 4 }, name);
    }
  }

  cross(x, top, bottom) {
    const at = this.at ?? this.to;
    if (this.at !== null) draw(this.svg, "line", { class: "cross", x1: x(at), x2: x(at), y1: top, y2: bottom });
    const values = this.series.map(({ name, points }) => {
      const found = points.findLast(([when]) => when <= at) ?? points[0];
      return [name, found ? this.says(found[1]) : "–"];
    });
    this.read.replaceChildren(`${this.at === null ? "now" : clock(at)}: `);
    values.forEach(([name, value], index) => {
      const bold = document.createElement("b");
      bold.textContent = value;
      this.read.append(`${index ? ", " : ""}${name} `, bold);
    });
    this.svg.setAttribute("aria-label", `${this.label}; ${this.read.textContent}. Arrow keys look back.`);
  }
}

function short(value) {
  if (value >= 1e6) return `${number(value / 1e6, value % 1e6 ? 1 : 0)}M`;
  if (value >= 1e4) return `${number(value / 1e3, value % 1e3 ? 1 : 0)}k`;
  return number(value, value % 1 ? (value < 0.1 ? 2 : 1) : 0);
}

/** A histogram with its median and 99 %. */
class Bars {
  constructor(id) {
    this.svg = document.getElementById(id + "-chart");
    this.read = document.getElementById(id + "-read");
    this.label = this.svg.getAttribute("aria-label");
    new ResizeObserver(() => this.render()).observe(this.svg);
  }

  show(histogram) {
    this.histogram = histogram;
    this.render();
  }

  render() {
    const { svg, histogram } = this;
    if (!histogram || !svg.clientWidth) return;
    const { bounds, counts, total } = histogram;
    const [left, right, top, bottom] = [4, svg.clientWidth - 4, 26, svg.clientHeight - 20];
    const width = (right - left) / Math.max(1, bounds.length);
    const most = Math.max(1, ...counts);
    svg.replaceChildren();
    draw(svg, "line", { class: "grid", x1: left, x2: right, y1: bottom, y2: bottom });
    let labelled = -Infinity;
    counts.forEach((count, index) => {
      const height = count ? Math.max(2, (count / most) * (bottom - top)) : 0;
      const x = left + index * width;
      const bar = draw(svg, "rect", { class: "bar", x: x + 1.5, width: Math.max(1, width - 3), y: bottom - height, height, rx: 2 });
      const bound = bounds[index];
      const upTo = Number.isFinite(bound) ? `up to ${span(bound)}` : `beyond ${span(bounds[index - 1])}`;
      draw(bar, "title", {}, `${upTo}: ${number(count)}`);
      if (Number.isFinite(bound) && x + width - labelled > 44 && x + width < right - 12) {
        labelled = x + width;
        draw(svg, "text", { x: x + width, y: bottom + 15, "text-anchor": "middle" }, span(bound));
      }
    });
    const [median, high] = [0.5, 0.99].map((share) => quantile(histogram, share));
    this.mark(median, "median", left, width, top, bottom);
    this.mark(high, "99 %", left, width, top, bottom);
    const said = total ? `${number(total)} messages, half within ${span(median)}, 99 % within ${span(high)}` : "no messages in this time";
    this.read.textContent = said;
    svg.setAttribute("aria-label", `${this.label}: ${said}`);
  }

  mark(value, name, left, width, top, bottom) {
    if (!Number.isFinite(value)) return;
    const { bounds } = this.histogram;
    const index = Math.max(0, bounds.findIndex((bound) => value <= bound));
    const low = bounds[index - 1] ?? 0;
    const high = Number.isFinite(bounds[index]) ? bounds[index] : low;
    const x = left + (index + (high > low ? (value - low) / (high - low) : 0)) * width;
    draw(this.svg, "line", { class: "quantile", x1: x, x2: x, y1: top - 8, y2: bottom });
    const end = x > this.svg.clientWidth - 60;
    draw(this.svg, "text", { class: "quantile", x: x + (end ? -4 : 4), y: name === "median" ? top - 12 : top + 2, "text-anchor": end ? "end" : "start" }, name);
  }
}

/** A table of amounts with bars beside them; rows: [[name, amount, text, bad]]. */
function bars(id, rows, most, empty) {
  const body = document.querySelector(`#${id} tbody`);
  const shown = rows.length ? rows : [[empty, 0, "", false]];
  while (body.rows.length > shown.length) body.deleteRow(-1);
  shown.forEach(([name, amount, text, bad], index) => {
    let row = body.rows[index];
    if (!row) {
      row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      row.append(head);
      const track = row.insertCell();
      track.className = "track";
      const svg = draw(track, "svg", { "aria-hidden": "true", preserveAspectRatio: "none", viewBox: "0 0 100 8" });
      draw(svg, "rect", { class: "track", width: 100, height: 8, rx: 1 });
      draw(svg, "rect", { class: "amount", width: 0, height: 8, rx: 1 });
      row.insertCell().className = "value";
    }
    row.toggleAttribute("data-bad", Boolean(bad));
    row.cells[0].textContent = name;
    const width = most > 0 && amount > 0 ? Math.max(1.5, (amount / most) * 100) : 0;
    row.querySelector("rect.amount").setAttribute("width", width.toFixed(1));
    row.toggleAttribute("data-empty", !text);
    row.cells[2].textContent = text;
  });
}
