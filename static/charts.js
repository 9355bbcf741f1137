// The dashboard's two charts: queue depth on a log scale with the modes as bands, verdicts as bars.
(() => {
  const { fetch, uPlot } = window;
  const board = document.getElementById("charts");
  const boxes = {
    depth: document.getElementById("depth-chart"),
    verdicts: document.getElementById("verdicts-chart"),
  };
  const reading = document.getElementById("depth-reading");
  const MODES = { async: "Async", fast_track: "Fast-track", direct: "Direct", sync: "Sync" };
  const SPANS = { hour: 3600, day: 86400, week: 7 * 86400, month: 30 * 86400, year: 364 * 86400 };
  const LOW = 1; // a log scale has no zero
  const SIDE = 20; // px: half of the longest label below, which may stand at the left end
  const WIDTH = 54; // px of the labels at the side: 100,000
  let range = board.dataset.range;
  let series = null;
  const plots = {};

  const colour = (() => {
    const probe = document.createElement("i");
    probe.hidden = true;
    document.body.append(probe);
    return (name, alpha = 1) => {
      probe.style.color = `var(--${name})`;
      const computed = getComputedStyle(probe).color;
      if (alpha === 1) return computed;
      const [r, g, b] = computed.match(/[\d.]+/g);
      return `rgba(${r}, ${g}, ${b}, ${alpha})`;
    };
  })();

  const clock = (at) =>
    new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = (at) =>
    new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  const when = (at) => (range === "hour" ? clock(at) : range === "day" ? clock(at) : day(at));

  const axis = (more) => ({
    stroke: colour("faint"),
    font: "11px Inter, system-ui, sans-serif",
    ticks: { show: false },
    ...more,
  });

  // Runs of one mode, as [mode, from, until].
  function bands({ at, mode, until }) {
    const runs = [];
    at.forEach((time, i) => {
      const last = runs.at(-1);
      if (last?.[0] === mode[i]) last[2] = at[i + 1] ?? until;
      else runs.push([mode[i], time, at[i + 1] ?? until]);
    });
    return runs.filter(([name]) => name !== "sync");
  }

  function paintBands(plot) {
    const { ctx, bbox } = plot;
    const tones = { async: "blue", fast_track: "amber", direct: "red" };
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [mode, from, until] of bands(series)) {
      const left = plot.valToPos(from, "x", true);
      ctx.fillStyle = colour(tones[mode], 0.14);
      ctx.fillRect(left, bbox.top, plot.valToPos(until, "x", true) - left, bbox.height);
    }
    ctx.restore();
  }

  function read(plot) {
    const i = plot.cursor.idx;
    const value = i == null ? null : series.depth[i];
    reading.textContent =
      value == null
        ? ""
        : `${when(series.at[i])} · depth ${Math.round(value).toLocaleString("en")} · ${MODES[series.mode[i]]}`;
  }

  // Leaves a gap where samples are missing, so that the line does not bridge it.
  function columns() {
    const step = Math.max(SPANS[range] / 180, SPANS[range] > SPANS.day ? 3600 : 10);
    const at = [];
    const depth = [];
    series.at.forEach((time, i) => {
      if (i && time - series.at[i - 1] > 4 * step) {
        at.push(time - step);
        depth.push(null);
      }
      at.push(time);
      depth.push(Math.max(series.depth[i], LOW));
    });
    return [at, depth];
  }

  function depthPlot(box) {
    const highest = () => Math.max(100, ...series.depth) * 1.6;
    return new uPlot(
      {
        width: box.clientWidth,
        height: box.clientHeight,
        padding: [4, 0, 0, SIDE],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: {
          x: { time: true, range: () => [series.from, series.until] },
          y: { distr: 3, range: () => [LOW, highest()] },
        },
        axes: [
          axis({
            grid: { show: false },
            size: 26,
            gap: 6,
            values: (_, splits) => splits.map(when),
            space: 90,
          }),
          axis({
            side: 1,
            size: WIDTH,
            gap: 6,
            grid: { stroke: colour("line"), width: 1, dash: [2, 3] },
            splits: () => [10, 100, 1000, 10000, 100000].filter((mark) => mark < highest()),
            values: (_, splits) => splits.map((mark) => mark.toLocaleString("en")),
            filter: (_, splits) => splits,
          }),
        ],
        series: [
          {},
          {
            stroke: colour("accent"),
            width: 1.75,
            fill: colour("accent", 0.1),
            points: { show: false },
          },
        ],
        hooks: { drawClear: [paintBands], setCursor: [read] },
      },
      columns(),
      box,
    );
  }

  function stacked() {
    const { approved, review, rejected } = series.verdicts;
    const low = approved.map((n, i) => n + review[i]);
    return [series.bars_at, low.map((n, i) => n + rejected[i]), low, approved];
  }

  function verdictsPlot(box) {
    const paths = uPlot.paths.bars({ size: [0.72, 22], radius: 0.12 });
    const bar = (name) => ({ fill: colour(name), width: 0, paths, points: { show: false } });
    const most = () => Math.max(4, ...stacked()[1]) * 1.08;
    return new uPlot(
      {
        width: box.clientWidth,
        height: box.clientHeight,
        padding: [4, 0, 0, SIDE],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: true, range: () => [series.from, series.until] },
          y: { range: () => [0, most()] },
        },
        axes: [
          axis({
            grid: { show: false },
            size: 26,
            gap: 6,
            values: (_, splits) => splits.map(when),
            space: 70,
          }),
          axis({
            side: 1,
            size: WIDTH,
            gap: 6,
            space: 48,
            grid: { stroke: colour("line"), width: 1, dash: [2, 3] },
            incrs: [
              1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6,
            ],
            values: (_, splits) =>
              splits.map((n) => (n >= 10000 ? `${n / 1000}k` : n.toLocaleString("en"))),
          }),
        ],
        series: [{}, bar("bar-red"), bar("bar-amber"), bar("bar-green")],
      },
      stacked(),
      box,
    );
  }

  function draw(name, isEmpty, data, make) {
    const box = boxes[name];
    if (isEmpty) return;
    if (plots[name]) return plots[name].setData(data);
    box.replaceChildren();
    plots[name] = make(box);
  }

  function paint() {
    board.classList.toggle("has-direct", series.mode.includes("direct"));
    draw("depth", series.at.length < 2, columns(), depthPlot);
    const sums = series.verdicts.approved ? stacked() : [[], [0]];
    draw("verdicts", !sums[1].some(Boolean), sums, verdictsPlot);
    const now = Math.round(series.depth.at(-1) ?? 0);
    const most = Math.round(Math.max(0, ...series.depth));
    boxes.depth.setAttribute(
      "aria-label",
      `Queue depth in the last ${range}: now ${now}, maximum ${most}`,
    );
  }

  function repaint() {
    for (const name of Object.keys(plots)) {
      plots[name].destroy();
      delete plots[name];
    }
    if (series) paint();
  }

  async function load() {
    const response = await fetch(`${board.dataset.url}?range=${range}`).catch(() => null);
    if (!response?.ok || response.redirected) return; // redirected to sign-in: the session ended
    const data = await response.json();
    if (data.range !== range) return;
    series = data;
    paint();
  }

  document.getElementById("ranges").addEventListener("click", (event) => {
    const link = event.target.closest("[data-range]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", link.href);
    for (const other of event.currentTarget.querySelectorAll("a"))
      other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    range = link.dataset.range;
    load();
  });

  // Reload on the stream's event, with a random delay so that browsers do not all reload at once.
  document.addEventListener("htmx:sseMessage", (event) => {
    if (event.detail.type !== "charts" || document.hidden) return;
    setTimeout(load, Math.random() * 2000);
  });
  new ResizeObserver(() => {
    for (const [name, plot] of Object.entries(plots)) {
      plot.setSize({ width: boxes[name].clientWidth, height: boxes[name].clientHeight });
    }
  }).observe(board);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  document.fonts?.ready.then(repaint);
  load();
})();
