"use strict";
// Samples as the daemon sends them, into figures: sums over services, rates, quantiles.

const THIN = "\u202f";

function number(value, digits = 0) {
  if (!Number.isFinite(value)) return "–";
  const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return text.replaceAll(",", THIN);
}

function rate(value) {
  return number(value, value > 0 && value < 10 ? 1 : 0);
}

function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const [value, unit] = seconds < 0.001 ? [seconds * 1e6, "µs"] : seconds < 1 ? [seconds * 1e3, "ms"] : [seconds, "s"];
  const digits = value < 10 && Math.abs(value - Math.round(value)) > 0.05 ? 1 : 0;
  return number(value, digits) + THIN + unit;
}

function lasting(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  if (minutes) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds)} s`;
}

function bytes(value) {
  return value >= 1 << 30 ? number(value / (1 << 30), 1) + " GiB" : number(value / (1 << 20), 1) + " MiB";
}

function clock(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** Of which service; all of them while it is empty. */
let ofService = "";

/** All values of a metric, each with its labels: those of the chosen service, and of none. */
function all(sample, name) {
  const values = sample?.figures["notify_push_" + name] ?? sample?.figures[name] ?? [];
  return ofService ? values.filter(([labels]) => (labels.service ?? ofService) === ofService) : values;
}

/** The sum over all of a metric whose labels are as wanted. */
function sum(sample, name, wanted = {}) {
  const fits = ([labels]) => Object.entries(wanted).every(([label, value]) => labels[label] === value);
  return all(sample, name).filter(fits).reduce((sum, [, value]) => sum + value, 0);
}

/** The sums by the values of one label, in the order the daemon has them. */
function by(sample, name, label, wanted = {}) {
  const sums = new Map();
  for (const [labels] of all(sample, name)) {
    const value = labels[label];
    if (!sums.has(value)) sums.set(value, sum(sample, name, { ...wanted, [label]: value }));
  }
  return sums;
}

/** A histogram's bounds in seconds and how many lie below each but not below the one before, less
 *  what it had in `before`. */
function histogram(sample, before, name, wanted = {}) {
  const below = (which) => {
    const sums = new Map();
    for (const [labels, value] of all(which, name + "_bucket")) {
      if (!Object.entries(wanted).every(([label, value]) => labels[label] === value)) continue;
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      sums.set(bound, (sums.get(bound) ?? 0) + value);
    }
    return sums;
  };
  const [now, then] = [below(sample), below(before)];
  const bounds = [...now.keys()].sort((a, b) => a - b);
  const cumulated = bounds.map((bound) => Math.max(0, now.get(bound) - (then.get(bound) ?? 0)));
  const counts = cumulated.map((count, index) => Math.max(0, count - (cumulated[index - 1] ?? 0)));
  return { bounds, counts, total: cumulated.at(-1) ?? 0 };
}

/** The bound below which the share lies, between two bounds by proportion. */
function quantile({ bounds, counts, total }, share) {
  if (!total) return NaN;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count && below + count >= share * total) {
      const low = bounds[index - 1] ?? 0;
      const high = Number.isFinite(bounds[index]) ? bounds[index] : low;
      return low + (high - low) * ((share * total - below) / count);
    }
    below += count;
  }
  return bounds.at(-2) ?? NaN;
}
