// The map: a WebGL scatter plot, one point per cell.

const LAYOUT = {
  dragmode: "lasso",
  hovermode: "closest",
  hoverdistance: 12,
  margin: { l: 8, r: 8, t: 8, b: 8 },
  paper_bgcolor: "white",
  plot_bgcolor: "white",
  showlegend: false,
  uirevision: "kept", // zoom and tool stay as they are when colours change
};
const AXIS = { visible: false, zeroline: false, showgrid: false };
const CONFIG = {
  displaylogo: false,
  displayModeBar: true,
  modeBarButtons: [["lasso2d", "select2d", "pan2d", "zoom2d", "resetScale2d", "toImage"]],
  responsive: true,
  scrollZoom: true,
  plotGlPixelRatio: window.devicePixelRatio, // the library's own 2 draws four times the pixels
};

// The points' own shader smooths their rims. Sampling every pixel several times as well, which the library asks for,
// makes a computer without a graphics card three times as slow.
const getContext = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return getContext.call(this, kind, kind.includes("webgl") ? { ...options, antialias: false } : options);
};

class CellMap {
  constructor(element, x, y, { onHover, onLeave, onClick, onSelect }) {
    Object.assign(this, { element, x, y, onHover, onLeave, onClick, onSelect });
    this.every = shuffled(x.length);
    this.drawings = 0;
    this.layout = { ...LAYOUT, xaxis: { ...AXIS }, yaxis: { ...AXIS, scaleanchor: "x" } };
  }

  // `shown` and `selected` hold a 1 for each cell that is; `selected` is null without a selection.
  async draw(painter, grey, shown, selected) {
    const cells = this.every.filter((cell) => shown[cell]);
    const colours = Array.from(cells, painter);
    // Grey lies beneath the colours.
    const places = [...colours.keys()];
    const drawn = [...places.filter((i) => colours[i] === grey), ...places.filter((i) => colours[i] !== grey)];
    this.order = Int32Array.from(drawn, (i) => cells[i]);
    const trace = {
      type: "scattergl",
      mode: "markers",
      x: Float32Array.from(this.order, (cell) => this.x[cell]),
      y: Float32Array.from(this.order, (cell) => this.y[cell]),
      marker: { color: drawn.map((i) => colours[i]), size: pointSize(cells.length), opacity: 0.8 },
      unselected: { marker: { opacity: 0.12 } },
      hoverinfo: "none",
    };
    if (selected) trace.selectedpoints = [...this.order.keys()].filter((i) => selected[this.order[i]]);
    // Outlines of what was drawn around go: the library would select by them anew.
    this.layout.selections = [];
    trace.uirevision = this.layout.selectionrevision = this.drawings++;
    this.drawing = true;
    await Plotly.react(this.element, [trace], this.layout, CONFIG);
    this.drawing = false;
    if (!this.listening) this.listen();
  }

  // An arrow to one cell. (A ring would be a shape sized in pixels; beside one, lassos go astray.)
  mark(cell) {
    const arrow = { text: "", showarrow: true, arrowhead: 2, arrowcolor: "#1f2933", arrowwidth: 2, ax: 26, ay: -26, standoff: 4 };
    return Plotly.relayout(this.element, { annotations: [{ ...arrow, x: this.x[cell], y: this.y[cell] }] });
  }

  listen() {
    this.listening = true;
    const cell = (event) => this.order[event.points[0].pointIndex];
    this.element.on("plotly_hover", (event) => this.onHover(cell(event), event.event));
    this.element.on("plotly_unhover", () => this.onLeave());
    this.element.on("plotly_click", (event) => this.onClick(cell(event)));
    this.element.on("plotly_deselect", () => this.onSelect(null));
    this.element.on("plotly_selected", (event) => {
      // Outlines that go while drawing are said to select nothing.
      if (event && !this.drawing) this.onSelect(event.points.map((point) => this.order[point.pointIndex]));
    });
  }
}

const pointSize = (count) => Math.min(Math.max(600 / Math.sqrt(count), 2.5), 9);
