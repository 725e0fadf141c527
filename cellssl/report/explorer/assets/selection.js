// What was selected: pictures, a table of how often each value is in it, and a file.

const PAGE_OF_PICTURES = 60;
const MOST_VALUES = 500;

// One row per value of a column: cells selected, cells shown, enrichment, wells that the selected come from.
function countValues(column, selected, shown, wells) {
  const [inside, all] = [column.count(selected), column.count(shown)];
  const share = selected.length / shown.length;
  const [own, every] = [wellsByValue(column, selected, wells), wellsByValue(column, shown, wells)];
  return [...inside.keys()]
    .filter((code) => inside[code])
    .map((code) => ({
      value: column.names[code] || UNKNOWN,
      selected: inside[code],
      shown: all[code],
      enrichment: inside[code] / all[code] / share,
      wells: own ? own[code].size : 0,
      of: every ? every[code].size : 0,
    }));
}

function wellsByValue(column, cells, wells) {
  if (!wells) return null;
  const sets = column.names.map(() => new Set());
  for (const cell of cells) sets[column.values[cell]].add(wells[cell]);
  return sets;
}

class CountTable {
  constructor(element) {
    Object.assign(this, { element, sorted: "selected" });
  }

  show(rows, label, hasWells) {
    const heads = [["value", label], ["selected", "selected"], ["shown", "of all shown"], ["enrichment", "enrichment"]];
    if (hasWells) heads.push(["wells", "wells"]);
    const down = (a, b) => (this.sorted === "value" ? a.value.localeCompare(b.value, "en", { numeric: true }) : b[this.sorted] - a[this.sorted]);
    const head = heads.map(([key, text]) => {
      const button = make("button", { type: "button", onclick: () => ((this.sorted = key), this.show(rows, label, hasWells)) }, text);
      const cell = make("th", { scope: "col" }, button);
      cell.ariaSort = this.sorted === key ? (key === "value" ? "ascending" : "descending") : "none";
      return cell;
    });
    const body = rows.toSorted(down).slice(0, MOST_VALUES).map((row) => {
      const texts = [row.value, grouped(row.selected), grouped(row.shown), `${row.enrichment.toFixed(2)} ×`];
      if (hasWells) texts.push(`${grouped(row.wells)} of ${grouped(row.of)}`);
      return make("tr", {}, ...texts.map((text) => make("td", {}, text)));
    });
    this.element.replaceChildren(make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
    if (rows.length > MOST_VALUES) this.element.append(make("caption", {}, `the first ${MOST_VALUES} of ${grouped(rows.length)} values`));
  }
}

// The selected cells that have a picture, some at a time.
class Gallery {
  constructor(element, pictures, { onHover, onLeave, onClick }) {
    Object.assign(this, { element, pictures, onHover, onLeave, onClick });
  }

  show(cells) {
    this.cells = cells.filter((cell) => this.pictures.has(cell));
    this.element.replaceChildren();
    const without = cells.length - this.cells.length;
    if (without) this.element.append(make("p", { className: "aside" }, `${grouped(without)} of the selected cells carry no picture.`));
    this.more();
  }

  more() {
    this.element.querySelector(".more")?.remove();
    const start = this.element.querySelectorAll("canvas").length;
    for (const cell of this.cells.slice(start, start + PAGE_OF_PICTURES)) {
      const canvas = this.pictures.canvas(cell);
      canvas.onmouseenter = (event) => this.onHover(cell, event);
      canvas.onmouseleave = () => this.onLeave();
      canvas.onclick = () => this.onClick(cell);
      this.element.append(canvas);
    }
    const rest = this.cells.length - start - PAGE_OF_PICTURES;
    if (rest > 0) this.element.append(make("button", { type: "button", className: "more", onclick: () => this.more() }, `more (${grouped(rest)})`));
  }
}

// A CSV of some cells: their names, their place on the map, and every column as it came.
function writeCsv(cells, names, x, y, columns) {
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (texts) => texts.map(quote).join(",");
  const coordinate = (values, cell) => String(Number(values[cell].toPrecision(7)));
  const rows = Array.from(cells, (cell) =>
    line([names[cell], coordinate(x, cell), coordinate(y, cell), ...columns.map((column) => column.text(cell))]),
  );
  return [line(["obs_name", "map_x", "map_y", ...columns.map((column) => column.name)]), ...rows].join("\n") + "\n";
}

function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
