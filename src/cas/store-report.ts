// How the store tells its operator about what no caller can be told.

export type StoreReport = (
  level: 'info' | 'warn' | 'error',
  message: string,
  details: Readonly<Record<string, unknown>>,
) => void;
