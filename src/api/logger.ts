// The part of a logger that the outward faces use; pino fits.

export interface Logger {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
