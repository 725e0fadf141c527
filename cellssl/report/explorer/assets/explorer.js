// The page: what its parts do to each other.

const page = JSON.parse(find("data").textContent);
const columns = page.columns.map((entry) => new Column(entry));
const [x, y] = [unpack(page.x), unpack(page.y)];
const wells = page.wells && unpack(page.wells);
const pictures = page.crops && new Pictures(page.crops);

let colouring;
let selected = null;
let shown = new Uint8Array(x.length).fill(1);

const table = new CountTable(find("counts"));
const pointer = { onHover: hover, onLeave: leave, onClick: pin };
const gallery = pictures && new Gallery(find("gallery"), pictures, pointer);
const filters = new Filters(columns, changeShown);
const map = new CellMap(find("map"), x, y, { ...pointer, onSelect: keep });

const chosen = (mask) => map.every.filter((cell) => mask[cell]);

function draw() {
  const cells = chosen(shown);
  const scrolled = find("legend").lastChild?.scrollTop ?? 0;
  find("legend").replaceChildren(...colouring.legend(cells, draw));
  find("legend").lastChild.scrollTop = scrolled;
  find("shown").textContent = `${grouped(cells.length)} of ${grouped(x.length)} cells shown`;
  return map.draw(colouring.painter(), page.look.grey, shown, selected);
}

function changeColumn() {
  colouring = new Colouring(columns[find("colour").value], page.look, chosen(shown));
  return draw();
}

function changeShown() {
  shown = filters.shown(x.length);
  if (selected) select([...chosen(selected)]); // what left the map leaves the selection
  else draw();
}

// What was drawn around on the map: the map shows it by itself.
function keep(cells) {
  selected = cells && new Uint8Array(x.length);
  for (const cell of cells ?? []) selected[cell] = shown[cell];
  describeSelection();
}

function select(cells) {
  keep(cells);
  draw();
}

function describeSelection() {
  find("selection").hidden = !selected;
  if (!selected) return;
  const [inside, all] = [chosen(selected), chosen(shown)];
  find("size").textContent = `${grouped(inside.length)} of ${grouped(all.length)} cells selected`;
  const column = columns[find("by").value];
  table.show(countValues(column, inside, all, wells), column.label, Boolean(wells));
  gallery?.show(inside);
}

function details(cell, some) {
  const list = make("dl");
  for (const column of some) list.append(make("dt", {}, column.label), make("dd", {}, column.text(cell) || UNKNOWN));
  return list;
}

function picture(cell) {
  if (!pictures) return [];
  if (!pictures.has(cell)) return [make("p", { className: "aside" }, "no picture of this cell")];
  return [pictures.canvas(cell)];
}

function hover(cell, { clientX, clientY }) {
  const tip = find("tip");
  const some = page.brief.map((place) => columns[place]);
  tip.replaceChildren(...picture(cell), details(cell, [...new Set([columns[find("colour").value], ...some])]));
  tip.hidden = false;
  tip.style.left = `${clientX + 16 + tip.offsetWidth > innerWidth ? clientX - 16 - tip.offsetWidth : clientX + 16}px`;
  tip.style.top = `${Math.max(Math.min(clientY + 16, innerHeight - tip.offsetHeight - 8), 0)}px`;
}

function leave() {
  find("tip").hidden = true;
}

function pin(cell) {
  map.mark(cell);
  find("cell").replaceChildren(make("p", { className: "cell-name" }, page.names[cell]), ...picture(cell), details(cell, columns));
}

function repaint() {
  for (const canvas of document.querySelectorAll("#gallery canvas, #cell canvas")) pictures.paint(canvas, Number(canvas.dataset.cell));
}

function fillMenus() {
  columns.forEach((column, place) => {
    for (const id of ["colour", "filter"]) find(id).append(make("option", { value: place }, column.label));
    if (column.names) find("by").append(make("option", { value: place }, column.label));
  });
  find("colour").value = page.colour;
  find("by").value = columns[page.colour].names ? page.colour : (find("by").options[0]?.value ?? "");
  find("colour").onchange = changeColumn;
  find("by").onchange = describeSelection;
  find("filter").onchange = () => {
    const box = filters.add(columns[find("filter").value]);
    if (box) find("filters").append(box);
    find("filter").value = "";
  };
  find("all").onclick = () => select([...chosen(shown)]);
  find("clear").onclick = () => select(null);
  find("save").onclick = () => download(writeCsv(chosen(selected).sort(), page.names, x, y, columns), "selection.csv");
  if (pictures) find("channels").append(...pictures.controls(repaint));
}

fillMenus();
changeColumn().then(() => (document.body.dataset.drawn = performance.now()));
