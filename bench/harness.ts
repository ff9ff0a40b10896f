// Runs subjects that do the same work in different ways, and compares them. Runs of the subjects alternate, so that a
// machine that slows down slows all of them; a warm-up run of each is thrown away.

import type { Program } from './programs.js';

export interface Subject {
  readonly name: string;
  /** The least ratio to the yardstick that the project asks of itself. */
  readonly budget?: number;
  /** The same for ratios to other subjects, by their names. */
  readonly atLeast?: Readonly<Record<string, number>>;
  /** Before each run, outside the measured time. */
  prepare?(): Promise<void>;
  /** Does the work and answers how much of it was done, in the scenario's unit. */
  run(): Promise<number>;
}

export interface Scenario {
  readonly title: string;
  /** What is measured, by which client, and what "written" means to each. */
  readonly about?: string;
  /** What is counted, per second. */
  readonly unit: string;
  /** Yardsticks first. None: it cannot be measured here. */
  readonly subjects: readonly Subject[];
  /** Programs whose subjects are left out. */
  readonly missing?: readonly Program[];
  /** How many of the subjects are yardsticks. */
  readonly yardstickCount: number;
  /** Which of them ratios are to: the slowest unless it says otherwise. */
  readonly yardstick?: 'slowest' | 'fastest';
  close(): Promise<void>;
}

export interface Measurement {
  readonly subject: Subject;
  /** Per second. */
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** How often each subject runs. */
export interface Effort {
  /** Thrown away. */
  readonly warmUps: number;
  readonly runs: number;
}

export async function measure(scenario: Scenario, { warmUps, runs }: Effort): Promise<Measurement[]> {
  const rates = scenario.subjects.map((): number[] => []);
  for (let round = -warmUps; round < runs; round++) {
    for (const [index, subject] of scenario.subjects.entries()) {
      await subject.prepare?.();
      const start = performance.now();
      const amount = await subject.run();
      const rate = amount / ((performance.now() - start) / 1000);
      if (round >= 0) rates[index]!.push(rate);
    }
  }
  return scenario.subjects.map((subject, index) => {
    const of = rates[index]!;
    return { subject, median: median(of), lowest: Math.min(...of), highest: Math.max(...of) };
  });
}

/** Of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** So many tasks at once until `count` have been done. */
export async function concurrently(
  width: number,
  count: number,
  task: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
