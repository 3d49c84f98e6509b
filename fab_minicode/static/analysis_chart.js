/*
 * Draws the chart of an analysis: a payload of plain values in, one canvas and one legend of buttons out.
 *
 * The server decides what is shown (views/analysis_chart.py); this file decides how. Colours come from the CSS variables of
 * the page, so that light and dark are the stylesheet's business alone.
 */
(() => {
  "use strict";

  const SERIES_COLORS = 8;
  const BAR_ROW_PX = 30;
  const DASH = [5, 4];

  const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const theme = (element) => {
    const style = getComputedStyle(element);
    const color = (name) => style.getPropertyValue(`--mca-${name}`).trim();
    return {
      series: Array.from({ length: SERIES_COLORS }, (_, index) => color(index + 1)),
      text: color("text"),
      muted: color("muted"),
      line: color("line"),
      surface: color("surface"),
      page: color("page"),
      font: style.fontFamily,
    };
  };

  // ECharts reads {style|text} in every text it draws; a name somebody typed must stay a name.
  const plain = (text) => text.replace(/\{/g, "｛").replace(/\}/g, "｝");

  /* Formats by unit: "count", "ratio" (visits per user), "share" (0 to 1), "percent" (0 to 100, of a whole bar). */
  const formats = (locale) => {
    const full = new Intl.NumberFormat(locale);
    const short = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
    const ratio = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
    const share = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
    const of = {
      count: { full: (value) => full.format(value), short: (value) => (value >= 10000 ? short : full).format(value) },
      ratio: { full: (value) => ratio.format(value), short: (value) => ratio.format(value) },
      share: { full: (value) => share.format(value), short: (value) => share.format(value) },
    };
    return { ...of, percent: { full: (value) => share.format(value / 100), short: (value) => share.format(value / 100) } };
  };

  const valueAxis = (colors, format, { second = false, name = "", max = undefined, unit = "count", scale = false } = {}) => ({
    type: "value",
    name,
    nameLocation: "middle",
    nameGap: 34,
    nameTextStyle: { color: colors.muted },
    minInterval: unit === "count" ? 1 : 0,
    max,
    scale,
    splitNumber: 4,
    axisLabel: { color: colors.muted, formatter: format.short, hideOverlap: true },
    splitLine: { show: !second, lineStyle: { color: colors.line } },
  });

  const MOST_UPRIGHT = 8;
  const isAslant = (payload, horizontal) => !horizontal && !payload.is_time && payload.labels.length > MOST_UPRIGHT;

  const categoryAxis = (payload, colors, { horizontal, width }) => ({
    type: "category",
    data: payload.labels.map(plain),
    inverse: horizontal,
    boundaryGap: payload.chart !== "line",
    axisTick: { show: false },
    axisLine: { lineStyle: { color: colors.line } },
    axisLabel: {
      color: horizontal ? colors.text : colors.muted,
      // Times may leave some out, names may not: many of them stand aslant.
      hideOverlap: payload.is_time,
      rotate: isAslant(payload, horizontal) ? 40 : 0,
      width: isAslant(payload, horizontal) ? 96 : horizontal ? Math.min(170, width * 0.32) : Math.max(40, width / payload.labels.length - 8),
      overflow: "truncate",
      interval: payload.is_time ? "auto" : 0,
      formatter: (_, index) => plain(payload.ticks[index]),
    },
  });

  const tooltipStyle = (colors) => ({
    renderMode: "richText",
    confine: true,
    transitionDuration: reducedMotion() ? 0 : 0.1,
    backgroundColor: colors.surface,
    borderColor: colors.line,
    padding: [8, 12],
    textStyle: { color: colors.text, fontFamily: colors.font, fontSize: 13, lineHeight: 20 },
  });

  const unitOf = (payload, name) => (payload.series.find((one) => plain(one.name) === name) || payload.series[0]).unit;

  const tooltip = (payload, colors, format) => ({
    ...tooltipStyle(colors),
    trigger: "axis",
    axisPointer: payload.chart === "line"
      ? { type: "line", lineStyle: { color: colors.muted, type: "solid" } }
      : { type: "shadow", shadowStyle: { color: colors.line, opacity: 0.35 } },
    formatter: (points) => {
      const index = points[0].dataIndex;
      const partial = index === payload.partial ? ` · ${payload.partial_label}` : "";
      const seen = new Set();
      const lines = points.filter((point) => {
        const keep = point.value !== null && point.value !== undefined && !seen.has(point.seriesName);
        if (keep) seen.add(point.seriesName);
        return keep;
      });
      const rows = lines.map((point) => {
        const own = payload.series.find((one) => plain(one.name) === point.seriesName);
        const count = format[unitOf(payload, point.seriesName)].full(own.values[index]);
        const part = payload.stack === "share" ? ` (${format.percent.full(point.value)})` : "";
        return `${point.marker}${point.seriesName}  ${count}${part}`;
      });
      return [plain(payload.labels[index]) + partial, ...rows].join("\n");
    },
  });

  const lineSeries = (payload, series, look) => {
    const tail = payload.partial;
    const shape = {
      type: "line",
      name: plain(series.name),
      color: look.color,
      yAxisIndex: look.axis,
      symbol: "circle",
      symbolSize: 6,
      showSymbol: payload.labels.length <= 31,
      emphasis: { focus: "none" },
    };
    if (series.previous) {
      return [{ ...shape, data: series.values, showSymbol: false, lineStyle: { width: 1.5, type: [2, 4], opacity: 0.7 }, z: 1 }];
    }
    const whole = tail === null ? series.values : series.values.map((value, index) => (index < tail ? value : null));
    const parts = [{
      ...shape,
      data: whole,
      lineStyle: { width: 2.25 },
      areaStyle: look.alone ? { opacity: 0.1 } : undefined,
    }];
    if (tail !== null) {
      const open = series.values.map((value, index) => (index === tail || index === tail - 1 ? value : null));
      const symbol = (_, point) => (point.dataIndex === tail ? "emptyCircle" : "none");
      parts.push({ ...shape, data: open, symbol, showSymbol: true, lineStyle: { width: 2.25, type: DASH } });
    }
    return parts;
  };

  /* The whole of every bar, so that parts can be shown of 100. */
  const wholes = (payload) => payload.labels.map((_, index) => payload.series.reduce((sum, one) => sum + (one.values[index] || 0), 0));

  const barSeries = (payload, series, look, format) => {
    const horizontal = payload.chart === "bar";
    const radius = payload.stack ? 0 : horizontal ? [0, 3, 3, 0] : [3, 3, 0, 0];
    const open = { color: "transparent", borderColor: look.color, borderType: DASH, borderWidth: 1.5, borderRadius: radius };
    const sums = payload.stack === "share" ? wholes(payload) : null;
    const data = series.values.map((count, index) => {
      const value = sums === null ? count : sums[index] ? (100 * count) / sums[index] : 0;
      return index === payload.partial ? { value, itemStyle: open } : value;
    });
    return [{
      type: "bar",
      name: plain(series.name),
      color: look.color,
      data,
      [horizontal ? "xAxisIndex" : "yAxisIndex"]: look.axis,
      stack: payload.stack ? "all" : undefined,
      barMaxWidth: horizontal ? 18 : 44,
      barMinHeight: payload.stack ? 0 : 1,
      itemStyle: { borderRadius: radius, opacity: series.previous ? 0.35 : 1 },
      label: {
        show: horizontal && payload.series.length === 1,
        position: "right",
        color: look.text,
        formatter: ({ value }) => format[series.unit].full(value),
      },
    }];
  };

  /* The part of a chart that is the same for every kind. */
  const frame = (payload, colors, hidden) => ({
    animationDuration: 250,
    // What is drawn anew stands at once: bars that glide to a new place would cover the labels, which do not.
    animationDurationUpdate: 0,
    animation: !reducedMotion(),
    // ECharts would describe the canvas in words of its own. The server's words stand in the label of the element around it
    // (draw), the arrow keys say every point (move), and the table below holds the same numbers.
    aria: { enabled: false },
    textStyle: { fontFamily: colors.font },
    legend: { show: false, selected: Object.fromEntries([...hidden].map((name) => [name, false])) },
  });

  const optionOf = (payload, colors, hidden, width) => {
    const format = formats(payload.locale);
    const horizontal = payload.chart === "bar";
    const alone = payload.series.filter((series) => !series.previous).length === 1;
    const units = [...new Set(payload.series.map((one) => one.unit))];
    const first = units[0];
    const series = payload.series.flatMap((one, index) => {
      const color = one.previous ? colors.muted : colors.series[index % SERIES_COLORS];
      const look = { color, alone, text: colors.text, axis: one.unit === first ? 0 : 1 };
      return payload.chart === "line" ? lineSeries(payload, one, look) : barSeries(payload, one, look, format);
    });
    const main = payload.stack === "share"
      ? valueAxis(colors, format.percent, { max: 100, unit: "percent" })
      : valueAxis(colors, format[first], { unit: first });
    const other = units.length > 1 ? [valueAxis(colors, format[units[1]], { second: true, unit: units[1] })] : [];
    const category = categoryAxis(payload, colors, { horizontal, width });
    return {
      ...frame(payload, colors, hidden),
      grid: { left: 4, right: horizontal ? 56 : 14, top: 14, bottom: 4, containLabel: true },
      tooltip: tooltip(payload, colors, format),
      xAxis: horizontal ? [main, ...other] : category,
      yAxis: horizontal ? category : [main, ...other],
      series,
    };
  };

  /* ---- bubbles --------------------------------------------------------------------------------------------------- */

  const bubbleText = (payload, format, point) => [
    plain(point.name),
    ...payload.axes.map((axis, place) => `${plain(axis.name)}  ${format[axis.unit].full(point.values[place] ?? 0)}`),
  ].join("\n");

  const bubbleOption = (payload, colors, hidden) => {
    const format = formats(payload.locale);
    const [x, y, size] = payload.axes;
    const largest = Math.max(1e-9, ...payload.points.map((point) => point.values[2] ?? 0));
    const radius = (value) => (size ? 8 + 44 * Math.sqrt((value[2] ?? 0) / largest) : 16);
    const named = payload.points.length <= 30;
    return {
      ...frame(payload, colors, hidden),
      grid: { left: 34, right: 40, top: 24, bottom: 30, containLabel: true },
      tooltip: {
        ...tooltipStyle(colors),
        trigger: "item",
        formatter: ({ dataIndex }) => bubbleText(payload, format, payload.points[dataIndex]),
      },
      xAxis: { ...valueAxis(colors, format[x.unit], { name: plain(x.name), unit: x.unit }), nameGap: 28 },
      yAxis: valueAxis(colors, format[y.unit], { name: plain(y.name), unit: y.unit }),
      series: [{
        type: "scatter",
        name: plain(payload.title),
        color: colors.series[0],
        data: payload.points.map((point) => point.values.map((value) => value ?? 0)),
        symbolSize: radius,
        itemStyle: { opacity: 0.62, borderColor: colors.series[0], borderWidth: 1.5 },
        label: {
          show: named,
          position: "top",
          color: colors.text,
          fontSize: 12,
          width: 130,
          overflow: "truncate",
          formatter: ({ dataIndex }) => plain(payload.points[dataIndex].name),
        },
        labelLayout: { hideOverlap: true },
      }],
    };
  };

  /* What tells one drawing from another: everything but where its points lead. */
  const numbersOf = (payload) => JSON.stringify({ ...payload, links: null });

  const heightOf = (payload) => {
    if (payload.chart === "bubble") return 400;
    if (payload.chart !== "bar") return 320;
    const one = payload.labels.length > 60 ? 14 : BAR_ROW_PX;
    const row = payload.stack || payload.series.length === 1 ? one : 14 + 15 * payload.series.length;
    return Math.max(160, payload.labels.length * row + 60);
  };

  /* ---- the legend: buttons, so that it works by keyboard, wraps on a phone and is printed ------------------------ */

  const drawLegend = (holder, payload, colors, hidden, toggle) => {
    holder.replaceChildren();
    const series = payload.series || [];
    holder.hidden = series.length < 2;
    if (holder.hidden) return;
    series.forEach((one, index) => {
      const button = document.createElement("button");
      const swatch = document.createElement("span");
      button.type = "button";
      button.className = "mca-legend-item";
      button.setAttribute("aria-pressed", String(!hidden.has(plain(one.name))));
      swatch.className = one.previous ? "mca-swatch is-previous" : "mca-swatch";
      swatch.style.setProperty("--mca-swatch", one.previous ? colors.muted : colors.series[index % SERIES_COLORS]);
      button.append(swatch, one.name);
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        toggle(plain(one.name));
      });
      holder.append(button);
    });
  };

  /* ---- a picture ------------------------------------------------------------------------------------------------- */

  const PICTURE = { ratio: 2, margin: 24, title: 18, text: 13 };

  /* Paint title, days and legend above the chart: a picture goes its own way and must say what it shows. */
  const paint = (canvas, payload, colors, lines) => {
    const { ratio, margin, title, text } = PICTURE;
    const head = margin + title + 10 + lines.length * (text + 8) + 12;
    const picture = document.createElement("canvas");
    picture.width = canvas.width + 2 * margin * ratio;
    picture.height = canvas.height + (head + margin) * ratio;
    const pen = picture.getContext("2d");
    pen.fillStyle = colors.page;
    pen.fillRect(0, 0, picture.width, picture.height);
    pen.scale(ratio, ratio);
    pen.textBaseline = "top";
    pen.fillStyle = colors.text;
    pen.font = `600 ${title}px ${colors.font}`;
    pen.fillText(payload.title, margin, margin, picture.width / ratio - 2 * margin);
    pen.font = `${text}px ${colors.font}`;
    lines.forEach((line, index) => {
      const top = margin + title + 10 + index * (text + 8);
      let left = margin;
      for (const [color, words] of line) {
        if (color) {
          pen.fillStyle = color;
          pen.fillRect(left, top + 3, 12, 8);
          left += 18;
        }
        pen.fillStyle = color ? colors.text : colors.muted;
        pen.fillText(words, left, top);
        left += pen.measureText(words).width + 18;
      }
    });
    pen.drawImage(canvas, margin, head, canvas.width / ratio, canvas.height / ratio);
    return picture;
  };

  const legendLine = (payload, colors, hidden) => {
    const series = payload.series || [];
    if (series.length < 2) return [];
    return [series.map((one, index) => [one.previous ? colors.muted : colors.series[index % SERIES_COLORS], one.name])
      .filter(([, name]) => !hidden.has(plain(name)))];
  };

  /**
   * Keep one chart in `element`, its legend in `legend`; `pick(series, index, place)` is called for a chosen point, `say(text)`
   * for what the keyboard moved to. Returns `{draw(payload), clear(), picture(line)}`.
   */
  window.minicodeAnalysisChart = (element, legend, { pick, say }) => {
    let chart = null;
    let shown = null;
    let cursor = null;
    // Names of series that the legend hides; they stay hidden as long as the same numbers are drawn anew.
    const hidden = new Set();
    const stage = element.querySelector("[data-mca-stage]") || element;

    const points = () => (shown.chart === "bubble" ? shown.points.length : shown.labels.length);
    const namedSeries = (name) => shown.series.findIndex((one) => plain(one.name) === name);

    const pixel = (series, index) => {
      const box = stage.getBoundingClientRect();
      const values = shown.chart === "bubble"
        ? shown.points[index].values.slice(0, 2).map((value) => value ?? 0)
        : shown.chart === "bar" ? [shown.series[series].values[index] || 0, index] : [index, shown.series[series].values[index] || 0];
      const at = chart.convertToPixel({ xAxisIndex: 0, yAxisIndex: 0 }, values) || [box.width / 2, box.height / 2];
      const clamp = (value, most) => Math.min(Math.max(value, 0), most);
      return { x: box.left + clamp(at[0], box.width), y: box.top + clamp(at[1], box.height) };
    };

    const describe = () => {
      const format = formats(shown.locale);
      if (shown.chart === "bubble") return bubbleText(shown, format, shown.points[cursor.index]).replace(/\n/g, "; ");
      const one = shown.series[cursor.series];
      const open = cursor.index === shown.partial ? ` · ${shown.partial_label}` : "";
      return `${shown.labels[cursor.index]}${open}: ${one.name} ${format[one.unit].full(one.values[cursor.index] ?? 0)}`;
    };

    /* The series at a place, or the next one in a direction (1, -1) that the legend shows. */
    const seriesAt = (place, direction) => {
      const most = shown.chart === "bubble" ? 1 : shown.series.length;
      const around = Array.from({ length: most }, (_, step) => (place + direction * step + 2 * most) % most);
      return around.find((one) => most === 1 || !hidden.has(plain(shown.series[one].name))) ?? around[0];
    };

    const move = (series, index, direction = 1) => {
      cursor = { series: seriesAt(series, direction), index: Math.min(Math.max(index, 0), points() - 1) };
      chart.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: cursor.index });
      say(describe());
    };

    const choose = () => cursor !== null && pick(cursor.series, cursor.index, pixel(cursor.series, cursor.index));

    const pressed = (event) => {
      if (shown === null) return;
      const at = cursor || { series: 0, index: -1 };
      const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
      const across = shown.chart === "bar" || shown.chart === "bubble";
      const step = steps[event.key];
      if (step) {
        const [other, along] = shown.chart === "bar" ? [step[1], step[0]] : across ? [0, step[0] + step[1]] : step;
        move(at.series + (at.index < 0 ? 0 : other), at.index < 0 ? 0 : at.index + along, other || 1);
      } else if (event.key === "Home") move(at.series, 0);
      else if (event.key === "End") move(at.series, points() - 1);
      else if (event.key === "Enter" || event.key === " " || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
        if (cursor === null) move(0, 0);
        choose();
      } else if (event.key === "Escape") {
        chart.dispatchAction({ type: "hideTip" });
        cursor = null;
        return;
      } else return;
      event.preventDefault();
    };

    const clickedPoint = (point) => {
      const series = shown.chart === "bubble" ? 0 : namedSeries(point.seriesName);
      const { clientX, clientY } = point.event.event;
      pick(series, point.dataIndex, { x: clientX, y: clientY });
    };

    const toggle = (name) => {
      if (!hidden.delete(name)) hidden.add(name);
      chart.dispatchAction({ type: "legendToggleSelect", name });
    };

    const redraw = () => {
      const payload = shown;
      cursor = null;
      stage.style.height = `${heightOf(payload)}px`;
      element.setAttribute("aria-label", payload.description);
      const colors = theme(element);
      if (chart === null) {
        chart = window.minicodeCharts.init(stage, null, { locale: payload.locale.startsWith("zh") ? "ZH" : "EN" });
        chart.on("click", clickedPoint);
      }
      chart.resize();
      const option = payload.chart === "bubble" ? bubbleOption(payload, colors, hidden)
        : optionOf(payload, colors, hidden, stage.clientWidth);
      chart.setOption(option, { notMerge: true });
      drawLegend(legend, payload, colors, hidden, toggle);
    };
    const draw = (payload) => {
      if (numbersOf(payload) !== numbersOf(shown)) hidden.clear();
      shown = payload;
      redraw();
    };
    const again = () => shown !== null && redraw();
    const clear = () => {
      hidden.clear();
      if (chart !== null) chart.dispose();
      chart = shown = cursor = null;
      legend.hidden = true;
    };
    /* The chart as a canvas with its title, `line` (the days) and its legend above it. */
    const picture = (line) => {
      const colors = theme(element);
      chart.dispatchAction({ type: "hideTip" });
      const canvas = chart.renderToCanvas({ pixelRatio: PICTURE.ratio });
      return paint(canvas, shown, colors, [[["", line]], ...legendLine(shown, colors, hidden)]);
    };
    element.addEventListener("keydown", pressed);
    // A page that is laid out for a picture has no width for a moment; there is nothing to draw then.
    const resized = () => chart !== null && stage.clientWidth > 0 && chart.getWidth() !== stage.clientWidth;
    new ResizeObserver(() => resized() && again()).observe(stage);
    // theme.js writes the background it found there.
    new MutationObserver(again).observe(element.closest(".minicode"), { attributes: true, attributeFilter: ["data-mc-theme"] });
    window.matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", again);
    return { draw, clear, picture };
  };
})();
