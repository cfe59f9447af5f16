"use strict";
// The list of findings: search, filters, opening and closing, links to one finding. All text goes in as text, never as
// markup, and only what is near the window is in the document, so that ten thousand objects stay quick.
(() => {
  const CHUNK = 60; // findings added at a time
  const EACH = 20; // findings of one object before a button has the others

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);

  // --- What is searched and filtered ---

  // One for each finding, and one for each object that has none.
  const rows = data.objects.flatMap((object) =>
    (object.findings.length ? object.findings : [null]).map((finding) => ({
      object,
      finding,
      aside: finding !== null && finding.aside,
      open: false,
      text: haystack(object, finding),
    })),
  );
  const ofId = new Map();
  for (const row of rows) {
    if (row.finding && !ofId.has(row.finding.id)) ofId.set(row.finding.id, row);
  }
  const FACETS = [
    { key: "severity", title: "Severity", of: (row) => row.finding?.severity },
    { key: "cause", title: "Cause", of: (row) => row.finding?.cause, said: (value) => data.causes[value] },
    { key: "status", title: "Status", of: (row) => row.object.status },
    { key: "history", title: "History", of: (row) => row.finding?.history ?? undefined },
    { key: "cluster", title: "Cluster", of: (row) => row.object.cluster ?? undefined },
    { key: "namespace", title: "Namespace", of: (row) => row.object.namespace ?? "(none: cluster-scoped)" },
    { key: "kind", title: "Kind", of: (row) => row.object.kind },
  ].map((facet) => ({ ...facet, chosen: new Set(), counts: new Map(), options: new Map() }));

  function haystack(object, finding) {
    const parts = [object.kind, `${object.namespace ?? ""}/${object.name}`, object.cluster, object.source, object.reason];
    if (finding) {
      parts.push(finding.id, finding.path, finding.what, ...(finding.values ?? []), ...finding.lines, finding.note);
      parts.push(...finding.actors.map((actor) => actor.manager), finding.ignored?.rule, finding.ignored?.reason);
    }
    return parts.filter(Boolean).join("\n").toLowerCase();
  }

  // --- Elements ---

  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  const chip = (severity) =>
    element("span", `chip s${data.order.severity.indexOf(severity)}`, severity);

  // The last part of a path is what a reader looks for.
  function pathOf(path) {
    const cut = path.match(/^(.*\.)([^.[\]"]+(?:\[[^\]]*\])?)$/);
    return cut ? element("code", "path", cut[1], element("b", "", cut[2])) : element("code", "path", element("b", "", path));
  }

  // Two texts, with the part in which they differ marked.
  function marked(text, other) {
    let start = 0;
    while (start < text.length && start < other.length && text[start] === other[start]) start += 1;
    let end = 0;
    const most = Math.min(text.length, other.length) - start;
    while (end < most && text[text.length - 1 - end] === other[other.length - 1 - end]) end += 1;
    if (start + end === 0) return [text];
    return [
      text.slice(0, start),
      element("mark", "", text.slice(start, text.length - end)),
      text.slice(text.length - end),
    ].filter((part) => typeof part === "string" || part.textContent);
  }

  function valuesOf({ values, what }) {
    if (!values) return element("span", "values", what);
    const [desired, live] = values;
    const side = (name, text) => [element("span", "side", name), " ", element("code", name === "Git" ? "git" : "live", text)];
    if (desired === null) return element("span", "values", ...side("live", live), " ", element("span", "side", "not in Git"));
    if (live === null) return element("span", "values", ...side("Git", desired), " ", element("span", "side", "not live"));
    return element("span", "values", ...side("Git", desired), " ", ...side("live", live));
  }

  function objectElement(object, its) {
    const { kind, namespace, name, cluster, status, source, reason } = object;
    const head = element(
      "div",
      "head",
      element("h3", "", element("span", "kind", kind), " ", namespace === null ? "" : element("span", "ns", `${namespace}/`), name),
      element("span", `status ${status}`, status),
      cluster === null ? "" : element("span", "cluster", cluster),
      source === null ? "" : element("span", "source", source),
    );
    const worst = its[0].finding;
    const made = element("li", `object${worst ? ` r${data.order.severity.indexOf(worst.severity)}` : ""}`, head);
    if (reason !== null) made.append(element("p", "reason", reason));
    const findings = its.filter((row) => row.finding);
    const shown = object.whole || printing ? findings : findings.slice(0, EACH);
    made.append(...shown.map(findingElement));
    if (shown.length < findings.length) {
      const rest = element("button", "more", `Show ${findings.length - shown.length} more of this object`);
      rest.type = "button";
      rest.addEventListener("click", () => {
        object.whole = true;
        const added = findings.slice(shown.length).map(findingElement);
        rest.replaceWith(...added);
        added[0].firstElementChild.focus();
      });
      made.append(rest);
    }
    return made;
  }

  function findingElement(row) {
    const { finding } = row;
    const [first, ...others] = finding.actors;
    const who = element(
      "span",
      "who",
      finding.history && finding.history !== "ongoing" ? element("span", `badge ${finding.history}`, finding.history) : "",
      row.aside ? element("span", "badge", finding.ignored ? "ignored" : "controller") : "",
      first ? element("span", "manager", first.manager + (others.length ? ` +${others.length}` : "")) : "",
      element("span", "age", ago(first?.time) ?? (finding.firstSeen ? `seen ${ago(finding.firstSeen)}` : "")),
    );
    const summary = element(
      "summary",
      "",
      chip(finding.severity),
      element("span", "what", finding.path ? pathOf(finding.path) : "", finding.path ? " " : "", valuesOf(finding)),
      who,
    );
    const made = element("details", row.aside ? "finding aside" : "finding", summary);
    // What is inside is made when it is opened first. The event comes later than the opening: after a print, too late.
    const addBody = () => made.childElementCount === 1 && made.append(bodyOf(finding, row.object));
    made.open = row.open || printing;
    if (made.open) addBody();
    made.addEventListener("toggle", () => {
      if (row.element === made && !printing) row.open = made.open;
      if (made.open) addBody();
    });
    row.element = made;
    return made;
  }

  const ago = (time) => (time ? (time.age === null ? time.at : `${time.age} ago`) : undefined);
  const exactly = (time) => (time.age === null ? time.at : `${time.age} ago (${time.at})`);

  function bodyOf(finding, object) {
    const facts = element("dl", "facts");
    const fact = (term, ...said) => facts.append(element("div", "", element("dt", "", term), element("dd", "", ...said)));
    if (finding.hint) fact("what to do", finding.hint);
    fact("cause", data.causes[finding.cause]);
    for (const { manager, operation, subresource, time } of finding.actors) {
      const how = [operation, subresource].filter(Boolean).join(", ");
      fact("who", element("b", "", manager), ` (${how}), `, time ? exactly(time) : "time not recorded");
    }
    if (finding.firstSeen) {
      fact("first seen", exactly(finding.firstSeen), finding.history ? `, ${finding.history}` : "");
    }
    if (finding.note !== null) fact("note", finding.note);
    if (finding.ignored) fact("ignored", `by ${finding.ignored.rule}: ${finding.ignored.reason}`);
    if (object.source !== null) fact("manifest", element("code", "", object.source));
    if (finding.pointer) fact("pointer", element("code", "", finding.pointer));
    const link = element("a", "", "Link to this finding");
    link.href = `#${encodeURIComponent(finding.id)}`;
    fact("id", element("code", "", finding.id), " ", link);
    return element("div", "body", differenceOf(finding), facts);
  }

  function differenceOf({ lines, values }) {
    if (!lines.length && !values) return "";
    const block = element("div", "difference");
    const line = (kind, name, ...text) =>
      block.append(element("div", `line ${kind}`, element("span", "side", name), element("code", "", ...text)));
    if (!lines.length) {
      const [desired, live] = values;
      if (desired !== null) line("minus", "Git", ...(live === null ? [desired] : marked(desired, live)));
      if (live !== null) line("plus", "live", ...(desired === null ? [live] : marked(live, desired)));
      return block;
    }
    const kinds = {
      "-": ["minus", "Git"],
      "+": ["plus", "live"],
      " ": ["both", ""],
      "@": ["cut", ""],
      ".": ["cut", ""],
    };
    for (const text of lines) line(...kinds[text[0]], text.slice(1));
    return block;
  }

  // --- The list ---

  const list = byId("list");
  const more = byId("more");
  let groups = []; // what matches, by object
  let added = 0; // of these, how many are in the document
  let printing = false;
  const nearEnd = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && addMore(), {
    rootMargin: "800px",
  });

  function apply() {
    const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const withAside = byId("aside").checked;
    for (const facet of FACETS) facet.counts.clear();
    groups = [];
    let findings = 0;
    for (const row of rows) {
      if ((row.aside && !withAside) || !words.every((word) => row.text.includes(word))) continue;
      const refused = FACETS.filter((facet) => facet.chosen.size && !facet.chosen.has(facet.of(row)));
      // An option counts what would be there with it, whatever else of its own group is chosen.
      if (refused.length < 2) (refused.length ? refused : FACETS).forEach((facet) => count(facet, row));
      if (refused.length) continue;
      if (row.finding) findings += 1;
      if (groups.at(-1)?.[0].object === row.object) groups.at(-1).push(row);
      else groups.push([row]);
    }
    showCounts();
    byId("count").textContent = groups.length
      ? `${plural(findings, "finding")} in ${plural(groups.length, "object")}`
      : "Nothing matches";
    fill();
  }

  const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  function count(facet, row) {
    const value = facet.of(row);
    facet.counts.set(value, (facet.counts.get(value) ?? 0) + 1);
  }

  // The list anew, at least as far as the object at an index of the groups.
  function fill(index = 0) {
    list.replaceChildren(groups.length ? element("ol", "objects") : element("p", "nothing", nothing()));
    added = 0;
    addMore(index);
  }

  function nothing() {
    if (!rows.length) return "No object differs from Git.";
    if (rows.every((row) => row.aside)) return "Nothing counts as drift: rules or controllers answer for all that differs.";
    return "Nothing matches the search and the filters.";
  }

  function addMore(index = 0) {
    let findings = 0;
    const chunk = document.createDocumentFragment();
    for (; added < groups.length && (printing || added <= index || findings < CHUNK); added += 1) {
      const group = groups[added];
      chunk.append(objectElement(group[0].object, group));
      findings += Math.min(group.length, EACH);
    }
    if (groups.length) list.firstElementChild.append(chunk);
    more.hidden = added === groups.length;
    more.textContent = `Show more: ${plural(groups.length - added, "object")} left`;
    // Observed anew, so that it is told again if the button is still near the window.
    nearEnd.unobserve(more);
    nearEnd.observe(more);
  }

  function openAll(open) {
    for (const row of groups.flat()) {
      row.open = open;
      if (row.element?.isConnected) row.element.open = open;
    }
  }

  // --- Links to one finding ---

  function follow() {
    const row = ofId.get(linked());
    if (!row) return;
    const place = () => groups.findIndex((group) => group.includes(row));
    if (place() < 0) {
      reset();
      byId("aside").checked = row.aside;
      apply();
    }
    row.open = row.object.whole = true;
    fill(place());
    row.element.classList.add("target");
    row.element.scrollIntoView({ block: "center" });
    row.element.firstElementChild.focus({ preventScroll: true });
  }

  function linked() {
    try {
      return decodeURIComponent(location.hash.slice(1));
    } catch {
      return ""; // not a link of ours
    }
  }

  // --- Filters ---

  function buildFacet(facet) {
    const there = new Set(rows.map(facet.of));
    there.delete(undefined);
    const order = data.order[facet.key];
    const values = order ? order.filter((value) => there.has(value)) : [...there].sort((a, b) => a.localeCompare(b));
    if (values.length < 2) return;
    const options = values.map((value) => {
      const box = element("input");
      box.type = "checkbox";
      box.value = value;
      box.addEventListener("change", () => {
        if (box.checked) facet.chosen.add(value);
        else facet.chosen.delete(value);
        apply();
      });
      const number = element("span", "number");
      const label = element("label", "", box, element("span", "option", facet.said?.(value) ?? value), number);
      facet.options.set(value, { box, label, number });
      return label;
    });
    const group = element("fieldset", "", element("legend", "", facet.title), element("div", "options", ...options));
    group.dataset.facet = facet.key;
    byId("facets").append(group);
  }

  function showCounts() {
    for (const facet of FACETS) {
      for (const [value, { label, number }] of facet.options) {
        const there = facet.counts.get(value) ?? 0;
        number.textContent = there.toLocaleString("en");
        label.classList.toggle("none", there === 0);
      }
    }
  }

  function reset() {
    byId("words").value = "";
    byId("aside").checked = false;
    for (const facet of FACETS) {
      facet.chosen.clear();
      for (const { box } of facet.options.values()) box.checked = false;
    }
  }

  // --- Start ---

  FACETS.forEach(buildFacet);
  byId("filters").hidden = !byId("facets").hasChildNodes();
  const set = rows.filter((row) => row.aside).length;
  byId("aside-text").textContent = `Show ${set.toLocaleString("en")} ignored or a controller's`;
  byId("aside-label").hidden = set === 0;
  byId("actions").hidden = byId("search").hidden = rows.length === 0;
  byId("theme").hidden = false;

  byId("search").addEventListener("submit", (event) => event.preventDefault());
  byId("words").addEventListener("input", apply);
  byId("aside").addEventListener("change", apply);
  byId("reset").addEventListener("click", () => {
    reset();
    apply();
  });
  byId("expand").addEventListener("click", () => openAll(true));
  byId("collapse").addEventListener("click", () => openAll(false));
  more.addEventListener("click", () => addMore());
  byId("theme").addEventListener("change", (event) => {
    document.documentElement.dataset.theme = event.target.value;
  });
  const wide = matchMedia("(min-width: 60rem)");
  const arrange = () => (byId("filters").open = wide.matches);
  wide.addEventListener("change", arrange);
  arrange();
  // On paper everything that is not filtered out is there, and open.
  addEventListener("beforeprint", () => {
    printing = true;
    fill();
  });
  addEventListener("afterprint", () => {
    printing = false;
    for (const row of rows) row.element = null;
    fill();
  });
  addEventListener("hashchange", follow);
  apply();
  follow();
})();
