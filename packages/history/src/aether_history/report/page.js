"use strict";
// Zooms into the line of a bench: by dragging over it, by its buttons, or by the keys + - 0 and the arrows.
for (const figure of document.querySelectorAll("figure.trend")) {
  const picture = figure.querySelector("svg.picture");
  const readout = figure.querySelector(".readout");
  const ends = figure.querySelectorAll(".ends span");
  const data = JSON.parse(figure.querySelector("script").textContent);
  const count = data.days.length;
  const height = picture.viewBox.baseVal.height;
  const plain = readout.textContent;
  const least = Math.min(8, count);
  let low = 0, high = count, pressed = null;

  const mark = (name, kind) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    made.setAttribute("class", kind);
    made.setAttribute("visibility", "hidden");
    picture.append(made);
    return made;
  };
  const selection = mark("rect", "selection");
  selection.setAttribute("y", 0);
  selection.setAttribute("height", height);
  const here = mark("line", "here");
  here.setAttribute("y1", 0);
  here.setAttribute("y2", height);

  const show = (from, to) => {
    const width = Math.min(Math.max(Math.round(to - from), least), count);
    low = Math.min(Math.max(Math.round(from), 0), count - width);
    high = low + width;
    picture.setAttribute("viewBox", `${low - 0.5} 0 ${width} ${height}`);
    ends[0].textContent = data.days[low];
    ends[1].textContent = data.days[high - 1];
    buttons.out.disabled = buttons.all.disabled = width === count;
    buttons.in.disabled = width === least;
  };
  const scaled = (factor) => {
    const middle = (low + high) / 2, half = (high - low) * factor / 2;
    show(middle - half, middle + half);
  };
  const moved = (part) => show(low + (high - low) * part, high + (high - low) * part);

  const bar = document.createElement("div");
  bar.className = "zoom";
  const buttons = {};
  for (const [key, text, label, act] of [
    ["in", "+", "zoom in", () => scaled(0.5)],
    ["out", "−", "zoom out", () => scaled(2)],
    ["all", "all", "show all runs", () => show(0, count)],
  ]) {
    const button = buttons[key] = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
    bar.append(button);
  }
  figure.prepend(bar);

  const placeOf = (event) => {
    const box = picture.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return Math.min(Math.max(low - 0.5 + share * (high - low), low), high - 1);
  };
  const tell = (at) => {
    here.setAttribute("x1", at);
    here.setAttribute("x2", at);
    here.setAttribute("visibility", "visible");
    readout.textContent = `${data.days[at]}, commit ${data.commits[at]}: ${data.values[at]}`;
  };
  const quiet = () => {
    here.setAttribute("visibility", "hidden");
    selection.setAttribute("visibility", "hidden");
    readout.textContent = plain;
    pressed = null;
  };
  picture.addEventListener("pointerdown", (event) => {
    pressed = placeOf(event);
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    tell(Math.round(place));
    if (pressed !== null) {
      selection.setAttribute("x", Math.min(pressed, place));
      selection.setAttribute("width", Math.abs(place - pressed));
      selection.setAttribute("visibility", "visible");
    }
  });
  picture.addEventListener("pointerup", (event) => {
    const place = placeOf(event), from = pressed;
    quiet();
    if (from !== null && Math.abs(place - from) > (high - low) / 100) {
      show(Math.min(from, place), Math.max(from, place) + 1);
    }
  });
  picture.addEventListener("pointerleave", () => { if (pressed === null) { quiet(); } });
  picture.addEventListener("pointercancel", quiet);
  picture.addEventListener("dblclick", () => show(0, count));
  figure.addEventListener("keydown", (event) => {
    const act = {
      "+": () => scaled(0.5), "=": () => scaled(0.5), "-": () => scaled(2), "0": () => show(0, count),
      "ArrowLeft": () => moved(-0.25), "ArrowRight": () => moved(0.25),
    }[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      act();
    }
  });
  show(0, count);
}
