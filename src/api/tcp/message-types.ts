// The messages of LMOF by number and by name. Every request has one response, which has the next number.

export const messageTypes = {
  UPLOAD_REQUEST: 0x0001,
  UPLOAD_RESPONSE: 0x0002,
  DOWNLOAD_REQUEST: 0x0003,
  DOWNLOAD_RESPONSE: 0x0004,
  DELETE_REQUEST: 0x0005,
  DELETE_RESPONSE: 0x0006,
  LIST_REQUEST: 0x0007,
  LIST_RESPONSE: 0x0008,
  HEARTBEAT_REQUEST: 0x0010,
  HEARTBEAT_RESPONSE: 0x0011,
  AUTH_REQUEST: 0x0020,
  AUTH_RESPONSE: 0x0021,
} as const;

type MessageName = keyof typeof messageTypes;
export type Action = MessageName extends infer Name ? (Name extends `${infer A}_REQUEST` ? A : never) : never;

const actions = new Map<number, Action>(
  Object.entries(messageTypes).flatMap(([name, type]) =>
    name.endsWith('_REQUEST') ? [[type, name.slice(0, -'_REQUEST'.length) as Action]] : [],
  ),
);

/** What a message of this type asks for; undefined for a response, or a type nobody has defined. */
export function actionOf(type: number): Action | undefined {
  return actions.get(type);
}

export function responseName(action: Action): `${Action}_RESPONSE` {
  return `${action}_RESPONSE`;
}
