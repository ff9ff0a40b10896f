// A task that is canceled, or whose pool is being destroyed, may have its answer under way already. Piscina takes an answer
// that nobody waits for as an error of the pool, which would end the process.

import type { Piscina } from 'piscina';

export function ignoreAbandonedAnswers(pool: Pick<Piscina, 'on'>): void {
  pool.on('error', (error: Error) => {
    if (!error.message.startsWith('Unexpected message from Worker')) throw error;
  });
}
