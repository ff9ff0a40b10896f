// The server's log: one JSON object a line on standard error, since standard output is the command's answer.

import { destination, type Logger, pino } from 'pino';
import type { LogLevel } from './config.js';

export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null }, destination({ fd: 2, sync: true }));
}
