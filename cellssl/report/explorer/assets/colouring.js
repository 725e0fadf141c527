// Which colour each cell has, and the legend that says so.

const MOST_ROWS = 400; // of the legend: more would be slow, and nobody reads them

class Colouring {
  // `look` holds the palette of names, the scale of numbers (both hexadecimal), and the grey of all else.
  constructor(column, look, cells) {
    this.column = column;
    this.look = look;
    this.log = false;
    this.chosen = column.names ? this.commonest(cells) : [];
  }

  // There are seven colours that everybody can tell apart: the commonest names get them, in the order of the
  // names, as in the report's figures; negative controls stay grey; others on request.
  commonest(cells) {
    const counts = this.column.count(cells);
    const named = (code) => this.column.names[code] && !this.column.grey.includes(code);
    const codes = [...counts.keys()].filter((code) => counts[code] && named(code));
    const first = codes.sort((a, b) => counts[b] - counts[a]).slice(0, this.look.palette.length);
    first.sort((a, b) => a - b);
    return this.look.palette.map((_, i) => first[i] ?? null);
  }

  toggle(code) {
    const slot = this.chosen.indexOf(code);
    if (slot >= 0) this.chosen[slot] = null;
    else {
      const free = this.chosen.indexOf(null);
      this.chosen[free >= 0 ? free : this.next()] = code;
    }
  }

  // With all colours taken, they are given away in turn.
  next() {
    this.turn = ((this.turn ?? -1) + 1) % this.chosen.length;
    return this.turn;
  }

  // A function from a cell to its colour.
  painter() {
    const { palette, scale, grey } = this.look;
    const values = this.column.values;
    if (this.column.names) {
      const colours = this.column.names.map((_, code) => palette[this.chosen.indexOf(code)] ?? grey);
      return (cell) => colours[values[cell]];
    }
    const [low, high] = this.ends();
    const on = this.log ? Math.log : (value) => value;
    const step = (scale.length - 1) / (on(high) - on(low) || 1);
    return (cell) => {
      const place = Math.round((on(values[cell]) - on(low)) * step);
      return Number.isFinite(place) ? scale[Math.min(Math.max(place, 0), scale.length - 1)] : grey;
    };
  }

  // Outliers take the ends' colours, so that they do not wash out all others.
  ends() {
    const [low, high] = this.column.range(0.01, 0.99);
    if (!this.log || low > 0) return [low, high];
    const positive = this.column.values.filter((value) => value > 0);
    return [positive.reduce((a, b) => Math.min(a, b), Infinity), high];
  }

  legend(cells, onChange) {
    return this.column.names ? this.namesLegend(cells, onChange) : this.scaleLegend(onChange);
  }

  namesLegend(cells, onChange) {
    const counts = this.column.count(cells);
    const codes = [...counts.keys()].filter((code) => counts[code]);
    const row = (code) => {
      const colour = this.look.palette[this.chosen.indexOf(code)] ?? this.look.grey;
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = colour;
      const name = this.column.names[code];
      const button = make("button", { className: "name", type: "button" }, swatch, name || UNKNOWN);
      button.setAttribute("aria-pressed", this.chosen.includes(code));
      button.disabled = !name;
      button.append(make("span", { className: "count" }, grouped(counts[code])));
      button.onclick = () => (this.toggle(code), onChange());
      return button;
    };
    const buttons = [
      make("button", { type: "button", onclick: () => ((this.chosen = this.commonest(cells)), onChange()) }, "commonest"),
      make("button", { type: "button", onclick: () => (this.chosen.fill(null), onChange()) }, "none"),
    ];
    const many = codes.length > this.look.palette.length;
    const hint = many
      ? `${grouped(codes.length)} names, ${this.look.palette.length} colours that everybody can tell apart: a click gives or takes one. Colour: `
      : "A click gives or takes a colour. Colour: ";
    const list = make("div", { className: "names" }, ...codes.slice(0, MOST_ROWS).map(row));
    if (codes.length > MOST_ROWS) list.append(`and ${grouped(codes.length - MOST_ROWS)} more (filter by them below)`);
    return [make("p", { className: "aside" }, hint, ...buttons), list];
  }

  scaleLegend(onChange) {
    const [low, high] = this.ends();
    const bar = make("div", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${this.look.scale.join(",")})`;
    const ends = make("div", { className: "ends" }, make("span", {}, short(low)), make("span", {}, short(high)));
    const box = make("input", { type: "checkbox", id: "log", checked: this.log });
    box.onchange = () => ((this.log = box.checked), onChange());
    const label = make("label", {}, box, " logarithmic (0 and below are grey)");
    const note = "The scale spans 1 to 99 % of the cells; missing values are grey.";
    return [bar, ends, ...(high > 0 ? [label] : []), make("p", { className: "aside" }, note)];
  }
}

const short = (number) => (Number.isFinite(number) ? String(Number(number.toPrecision(3))) : UNKNOWN);
