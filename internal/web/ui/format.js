// Numbers for people.

/** duration of milliseconds: 840 ms, 3.2 s, 2 min 5 s, 1 h 3 min. */
export const duration = (ms) => {
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 59950) return (ms / 1000).toFixed(ms < 9995 ? 2 : 1) + " s";
  const s = Math.round(ms / 1000);
  if (s < 3600) return Math.floor(s / 60) + " min" + (s % 60 ? " " + (s % 60) + " s" : "");
  return Math.floor(s / 3600) + " h" + (s % 3600 >= 60 ? " " + Math.floor((s % 3600) / 60) + " min" : "");
};

/** tick is a duration on an axis: 0, 500 ms, 3 s. */
export const tick = (ms) => (ms === 0 ? "0" : duration(ms).replace(/\.?0+ s$/, " s"));

/** exact milliseconds with separators: 12,345 ms. */
export const exact = (ms) => ms.toLocaleString("en") + " ms";

/** micros of a round trip: 85 µs, 1.2 ms. */
export const micros = (us) => (us < 1000 ? us + " µs" : (us / 1000).toFixed(us < 10000 ? 1 : 0) + " ms");

/** count with separators. */
export const count = (n) => n.toLocaleString("en");

/** bytes: 512 B, 3.1 MB, in powers of 1000. */
export const bytes = (n) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return (i && n < 99.5 ? n.toFixed(1) : Math.round(n)) + " " + units[i];
};

/** percent of a share from 0 to 1. */
export const percent = (share) => (share > 0 && share < 0.01 ? "<1" : Math.round(share * 100)) + " %";

/** rate per second: 3.2/s, or per minute where that is little. */
export const rate = (perSecond) => {
  const [n, unit] = perSecond >= 1 || perSecond === 0 ? [perSecond, "/s"] : [perSecond * 60, "/min"];
  return (n >= 10 || n === 0 ? Math.round(n) : n.toFixed(1)) + unit;
};

/** clock is the time of day of a moment. */
export const clock = (moment) => new Date(moment).toLocaleTimeString("en-GB");

/** moment is date and time of day. */
export const moment = (at) => {
  const d = new Date(at);
  return d.toLocaleDateString("sv-SE") + " " + d.toLocaleTimeString("en-GB");
};
