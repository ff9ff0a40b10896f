// Who is who. A node's id is a whole number from 1 that is never given to another node, nor to the same one with an empty
// disk: others remember what it promised.
/** In place of a node's id: nobody. */
export const nobody = 0;
