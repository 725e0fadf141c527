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

class CellMap {
  constructor(element, x, y, { onHover, onLeave, onClick, onSelect }) {
    Object.assign(this, { element, x, y, onHover, onLeave, onClick, onSelect });
    this.every = shuffled(x.length);
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
    else this.layout.selections = [];
    await Plotly.react(this.element, [trace], this.layout, CONFIG);
    if (!this.listening) this.listen();
  }

  listen() {
    this.listening = true;
    const cell = (event) => this.order[event.points[0].pointIndex];
    this.element.on("plotly_hover", (event) => this.onHover(cell(event), event.event));
    this.element.on("plotly_unhover", () => this.onLeave());
    this.element.on("plotly_click", (event) => this.onClick(cell(event)));
    this.element.on("plotly_deselect", () => this.onSelect(null));
    this.element.on("plotly_selected", (event) => {
      if (event) this.onSelect(event.points.map((point) => this.order[point.pointIndex]));
    });
  }
}

const pointSize = (count) => Math.min(Math.max(600 / Math.sqrt(count), 2.5), 9);
