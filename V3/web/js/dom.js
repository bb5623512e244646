/* Small helpers over the DOM. Text goes in by textContent, always. */

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

export function make(tag, { text, className, ...attributes } = {}, children = []) {
  return filled(document.createElement(tag), { text, className, attributes }, children);
}

export function makeSvg(tag, attributes = {}, children = []) {
  return filled(document.createElementNS(SVG, tag), { attributes }, children);
}

function filled(element, { text, className, attributes }, children) {
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}
