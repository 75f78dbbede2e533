/** What an event says, in one line; pure. */

type Data = Readonly<Record<string, unknown>>;

/** Fields that say it best, of whichever event; the first that is there is taken. */
const SAYS: readonly ((data: Data) => string)[] = [
  ({ error }) => fieldsOf(error, "code", "message").join(": "),
  ({ files }) =>
    (Array.isArray(files) ? files.flatMap((one) => fieldsOf(one, "name")) : []).join(", "),
  ({ tags, params, properties }) => pairs(tags ?? params ?? properties),
  ({ names }) => (Array.isArray(names) ? names.map(String).join(", ") : ""),
  ({ environment }) => {
    const [version] = fieldsOf(environment, "python_version");
    const [packages] = fieldsOf(environment, "packages_count");
    return version ? `Python ${version}, ${packages ?? "0"} packages` : "";
  },
  ({ worker_id, node }) =>
    worker_id ? `by ${words(worker_id)}${node ? ` on ${words(node)}` : ""}` : "",
  ({ exit_code }) => (typeof exit_code === "number" ? `exit code ${exit_code}` : ""),
  ({ signal }) => (signal ? `by ${words(signal)}` : ""),
  ({ code, message }) => [code, message].filter(Boolean).map(words).join(": "),
];
const TELLING = ["reason", "node", "compute_target", "display_name", "description", "last_seen", "snapshot_id"]; // prettier-ignore
const MOST = 300;

export function gist(event: unknown): string {
  const data = typeof event === "object" && event !== null ? (event as Data) : {};
  for (const says of SAYS) {
    const said = says(data);
    if (said !== "") return said.slice(0, MOST);
  }
  const name = TELLING.find((one) => data[one]);
  return name ? words(data[name]).slice(0, MOST) : "";
}

function fieldsOf(value: unknown, ...names: string[]): string[] {
  if (typeof value !== "object" || value === null) return [];
  const record = value as Data;
  return names.flatMap((name) => (record[name] == null ? [] : [words(record[name])]));
}

function pairs(value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value)
    .map(([name, one]) => `${name} = ${words(one)}`)
    .join(", ");
}

function words(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
