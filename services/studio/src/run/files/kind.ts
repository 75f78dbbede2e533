/** How a file can be looked at, by its name and its type; pure. */

export type Kind = "image" | "csv" | "json" | "markdown" | "text" | "none";

const IMAGES: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
};
const BINARY =
  /^(npz|npy|pt|pth|ckpt|bin|safetensors|onnx|h5|hdf5|pkl|pickle|joblib|parquet|arrow|feather|zip|gz|tgz|tar|bz2|xz|zst|7z|so|whl|pdf|mp4|mov|avi|mp3|wav|ico|bmp|tiff?|avif|sqlite|db)$/;

/** The end of a name behind its last dot, in lower case. */
export function extensionOf(name: string): string {
  const file = name.slice(name.lastIndexOf("/") + 1);
  const dot = file.lastIndexOf(".");
  return dot < 0 ? "" : file.slice(dot + 1).toLowerCase();
}

/** The type to show an image as; null: it is none that is safe to show. */
export function imageType(name: string, contentType = ""): string | null {
  const found = Object.values(IMAGES).find((type) => contentType.startsWith(type));
  return found ?? IMAGES[extensionOf(name)] ?? null;
}

/** How to look at a file. SVG and HTML are text here: as what they are they could be programs. */
export function kindOf(name: string, contentType = ""): Kind {
  const extension = extensionOf(name);
  if (imageType(name, contentType)) return "image";
  if (extension === "csv" || extension === "tsv" || contentType.startsWith("text/csv"))
    return "csv";
  if (extension === "json" || contentType.startsWith("application/json")) return "json";
  if (extension === "md" || extension === "markdown") return "markdown";
  return BINARY.test(extension) ? "none" : "text";
}

/** Whether bytes are no text: a NUL among the first of them says so, as git has it. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 8_000).includes(0);
}

const LANGUAGES: Record<string, string> = {
  py: "python",
  pyi: "python",
  yaml: "yaml",
  yml: "yaml",
  json: "json",
  jsonl: "json",
  ipynb: "json",
  sh: "bash",
  bash: "bash",
  zsh: "bash",
  toml: "ini",
  ini: "ini",
  cfg: "ini",
  md: "markdown",
  markdown: "markdown",
};
const NAMES: Record<string, string> = { Makefile: "makefile", Dockerfile: "dockerfile" };

/** The language to highlight a file in; null: as it is. */
export function languageOf(name: string): string | null {
  const file = name.slice(name.lastIndexOf("/") + 1);
  return NAMES[file] ?? LANGUAGES[extensionOf(name)] ?? null;
}
