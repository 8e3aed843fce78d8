/** Colours for what people read. Who writes to a terminal hands in a painter; anybody else gets the words alone. */

export type Colour = 'green' | 'yellow' | 'red' | 'magenta' | 'bold';

/** `text` as it is seen in `colour`. It takes no more room for that: whoever pads, pads by the text itself. */
export type Painter = (colour: Colour, text: string) => string;

export const plain: Painter = (_colour, text) => text;
