// Filters: which cells are on the map. A cell must pass all of them.

const MOST_BOXES = 300;

class Filters {
  constructor(columns, onChange) {
    Object.assign(this, { columns, onChange, active: new Map() });
  }

  // A 1 for each cell that passes.
  shown(count) {
    const passing = new Uint8Array(count).fill(1);
    for (const passes of this.active.values()) {
      for (let cell = 0; cell < count; cell++) if (passing[cell] && !passes(cell)) passing[cell] = 0;
    }
    return passing;
  }

  // Add a filter by a column and give its controls; null where it is there already.
  add(column) {
    if (this.active.has(column)) return null;
    this.active.set(column, () => true);
    const remove = make("button", { type: "button", title: `remove the filter by ${column.label}` }, "×");
    const box = make("fieldset", {}, make("legend", {}, column.label, " ", remove));
    remove.onclick = () => {
      this.active.delete(column);
      box.remove();
      this.onChange();
    };
    box.append(...(column.names ? this.nameBoxes(column) : this.limits(column)));
    return box;
  }

  nameBoxes(column) {
    const kept = new Set(column.names.keys());
    const list = make("div", { className: "boxes" });
    const search = make("input", { type: "search", placeholder: `search ${grouped(column.names.length)} names` });
    const change = () => {
      this.active.set(column, (cell) => kept.has(column.values[cell]));
      this.onChange();
    };
    const matching = () => {
      const wanted = search.value.toLowerCase();
      return [...column.names.keys()].filter((code) => column.names[code].toLowerCase().includes(wanted));
    };
    const fill = () => {
      const codes = matching();
      list.replaceChildren(
        ...codes.slice(0, MOST_BOXES).map((code) => {
          const box = make("input", { type: "checkbox", checked: kept.has(code) });
          box.onchange = () => (box.checked ? kept.add(code) : kept.delete(code), change());
          return make("label", {}, box, ` ${column.names[code] || UNKNOWN}`);
        }),
      );
      if (codes.length > MOST_BOXES) list.append(`and ${grouped(codes.length - MOST_BOXES)} more: search`);
    };
    const button = (text, act) =>
      make("button", { type: "button", onclick: () => (matching().forEach((code) => act(code)), fill(), change()) }, text);
    search.oninput = fill;
    fill();
    const all = button("all", (code) => kept.add(code));
    const none = button("none", (code) => kept.delete(code));
    return [make("div", { className: "tools" }, search, all, none), list];
  }

  limits(column) {
    const [smallest, largest] = column.range(0, 1);
    const low = make("input", { type: "number", step: "any", placeholder: short(smallest), ariaLabel: "at least" });
    const high = make("input", { type: "number", step: "any", placeholder: short(largest), ariaLabel: "at most" });
    low.onchange = high.onchange = () => {
      const [least, most] = [low.value === "" ? -Infinity : Number(low.value), high.value === "" ? Infinity : Number(high.value)];
      const open = low.value === "" && high.value === "";
      this.active.set(column, (cell) => open || (column.values[cell] >= least && column.values[cell] <= most));
      this.onChange();
    };
    return [make("div", { className: "tools" }, "from ", low, " to ", high)];
  }
}
