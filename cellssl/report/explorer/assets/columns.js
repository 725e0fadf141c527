"use strict";
// The table of cells: columns of names or of numbers, one entry per cell.

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };
const UNKNOWN = "not known";

function unpack({ type, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return new ARRAYS[type](bytes.buffer);
}

class Column {
  constructor({ name, label, names, grey, values }) {
    this.name = name;
    this.label = label;
    this.names = names; // null for a column of numbers; "" stands for a missing name
    this.grey = grey; // codes of the names that stay grey unless asked for: negative controls
    this.values = unpack(values);
    this.single = values.type === "f4"; // 0.1 in single precision is 0.10000000149 in double
  }

  // What the file holds, empty where it holds nothing.
  text(cell) {
    const value = this.values[cell];
    if (this.names) return this.names[value];
    if (!Number.isFinite(value)) return "";
    return String(this.single ? Number(value.toPrecision(7)) : value);
  }

  count(cells) {
    const counts = new Uint32Array(this.names.length);
    for (const cell of cells) counts[this.values[cell]]++;
    return counts;
  }

  // The values at two shares of the sorted finite ones, e.g. 0 and 1 for smallest and largest.
  range(low, high) {
    const sorted = Float64Array.from(this.values).filter(Number.isFinite).sort();
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    return sorted.length ? [at(low), at(high)] : [NaN, NaN];
  }
}

// All numbers below `count` in an order that follows nothing: what is drawn last covers nobody on
// purpose, and the first cells of a selection are a fair sample of it.
function shuffled(count) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// Elements are made from text, never from HTML: a compound may be called "<b>".
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const find = (id) => document.getElementById(id);
const grouped = (number) => number.toLocaleString("en");
