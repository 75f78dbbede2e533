/** What can be done with a view of lines from outside. */

export type LinesView = {
  show: (index: number, where?: "middle" | "edge") => void;
  showEnd: () => void;
};
