// Cells' crops: a grey JPEG holds a cell's channels one below the other; they are mixed here, so that
// colours and brightness can be changed.

const REMEMBERED = 600; // pictures kept decoded

class Pictures {
  constructor({ channels, height, width, stride, pictured, served }) {
    Object.assign(this, { height, width, stride, served });
    this.channels = channels.map((channel) => ({ ...channel, gain: 1 }));
    this.pictured = unpack(pictured);
    this.decoded = new Map();
  }

  has(cell) {
    return this.pictured[cell] === 1;
  }

  // A canvas that shows a cell as soon as its picture is decoded.
  canvas(cell) {
    const canvas = make("canvas", { width: this.width, height: this.height });
    this.paint(canvas, cell);
    return canvas;
  }

  // Pictures stand at the end of the file: the map need not wait for them.
  async source(cell) {
    if (this.served) return `crops/${cell}.jpg`;
    if (document.readyState === "loading") {
      await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
    }
    this.files ??= JSON.parse(find("pictures").textContent);
    return `data:image/jpeg;base64,${this.files[cell]}`;
  }

  // The grey values of all channels, one below the other, as RGBA bytes.
  async pixels(cell) {
    if (!this.decoded.has(cell)) {
      const image = new Image();
      image.src = await this.source(cell);
      await image.decode();
      const canvas = make("canvas", { width: image.width, height: image.height });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      this.decoded.set(cell, context.getImageData(0, 0, image.width, image.height).data);
      if (this.decoded.size > REMEMBERED) this.decoded.delete(this.decoded.keys().next().value);
    }
    return this.decoded.get(cell);
  }

  async paint(canvas, cell) {
    canvas.dataset.cell = cell; // a canvas may be asked for another cell while this one is decoded
    const grey = await this.pixels(cell);
    if (canvas.dataset.cell !== String(cell)) return;
    const mixed = new ImageData(this.width, this.height);
    const shown = this.channels
      .map((channel, place) => ({ ...channel, rgb: parseColour(channel.colour), start: place * this.stride * this.width }))
      .filter((channel) => channel.shown);
    for (let pixel = 0; pixel < this.width * this.height; pixel++) {
      let [red, green, blue] = [0, 0, 0];
      for (const { rgb, gain, start } of shown) {
        const value = Math.min(grey[4 * (start + pixel)] * gain, 255);
        red += value * rgb[0];
        green += value * rgb[1];
        blue += value * rgb[2];
      }
      // A pixel that is too bright keeps its hue: clipping each primary alone would turn it white.
      const over = Math.max(1, Math.max(red, green, blue) / 255);
      mixed.data.set([red / over, green / over, blue / over, 255], 4 * pixel);
    }
    canvas.getContext("2d").putImageData(mixed, 0, 0);
  }

  controls(onChange) {
    return this.channels.map((channel) => {
      const box = make("input", { type: "checkbox", checked: channel.shown });
      box.onchange = () => ((channel.shown = box.checked), onChange());
      const colour = make("input", { type: "color", value: channel.colour, title: `colour of ${channel.name}` });
      colour.oninput = () => ((channel.colour = colour.value), onChange());
      const gain = make("input", { type: "range", min: -2, max: 3, step: 0.25, value: 0, title: `brightness of ${channel.name}` });
      gain.oninput = () => ((channel.gain = 2 ** Number(gain.value)), onChange());
      return make("div", { className: "channel" }, make("label", {}, box, ` ${channel.name}`), colour, gain);
    });
  }
}

// "#ff8000" becomes [1, 0.5, 0].
const parseColour = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16) / 255);
