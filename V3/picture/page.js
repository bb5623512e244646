"use strict";
// The line of time over the picture, and both sides heard together.
const picture = document.getElementById("picture");
const cursor = document.getElementById("cursor");
const callee = document.getElementById("callee");
const robot = document.getElementById("robot");
const together = document.getElementById("together");
if (callee && robot) {
  const number = (element, name) => Number(element.dataset[name]);
  const left = number(picture, "left");
  const right = number(picture, "right");
  const fromMs = number(picture, "from");
  const untilMs = number(picture, "until");
  const soundFromMs = number(document.querySelector(".players"), "from");
  let leader = callee;

  const show = () => {
    const share = (leader.currentTime * 1000 + soundFromMs - fromMs) / (untilMs - fromMs);
    cursor.style.left = `${100 * (left + share * (right - left))}%`;
    cursor.style.display = "block";
    if (!leader.paused) requestAnimationFrame(show);
  };
  for (const [one, other] of [[callee, robot], [robot, callee]]) {
    one.addEventListener("play", () => {
      if (together.checked && other.paused) {
        leader = one;
        other.currentTime = one.currentTime;
        other.play().catch(() => {});
      } else if (!together.checked || leader.paused) {
        leader = one;
      }
      show();
    });
    one.addEventListener("pause", () => { if (together.checked && !one.ended) other.pause(); });
    one.addEventListener("seeked", () => {
      if (together.checked && Math.abs(other.currentTime - one.currentTime) > 0.05) other.currentTime = one.currentTime;
      show();
    });
  }
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    const at = Math.max(0, (fromMs + share * (untilMs - fromMs) - soundFromMs) / 1000);
    callee.currentTime = at;
    robot.currentTime = at;
    callee.play().catch(() => {});
  });
}
