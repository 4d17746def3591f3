/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

/* Threads - 32 threads that fill a shared map and make garbage, 100 virtual ones that sleep; the collector at work */
public class Threads {
	static final ConcurrentHashMap<Integer, long[]> map = new ConcurrentHashMap<>();

	/* one thread's part: allocates much, keeps a little, and comes to the same sum each time */
	static long work(int thread, int phase) {
		long sum = 0;
		for (int i = 0; i < 400; i++) {
			long[] cell = new long[1024];
			for (int k = 0; k < cell.length; k++)
				cell[k] = (long)k * i + thread * 31L + phase;
			sum += cell[(i * 7) % cell.length];
			if (i % 20 == 0)
				map.put(thread * 1000 + i, cell);
		}
		return sum;
	}

	static long all(int phase) throws Exception {
		try (var platform = Executors.newFixedThreadPool(32); var virtual = Executors.newVirtualThreadPerTaskExecutor()) {
			AtomicLong slept = new AtomicLong();
			List<Future<Long>> parts = new ArrayList<>();
			for (int i = 0; i < 32; i++) {
				int thread = i;
				parts.add(platform.submit(() -> work(thread, phase)));
			}
			for (int i = 0; i < 100; i++)
				virtual.submit(() -> { Thread.sleep(20); return slept.incrementAndGet(); });
			long sum = 0;
			for (var part : parts)
				sum += part.get();
			virtual.shutdown();
			virtual.awaitTermination(1, java.util.concurrent.TimeUnit.HOURS);
			return sum + slept.get();
		}
	}

	static long held() {
		return map.values().stream().mapToLong(cell -> cell[1023]).sum();
	}

	public static void main(String[] args) throws Exception {
		long before = all(1);
		System.out.println("before the gate: " + before + " " + held());
		System.out.println("ready");
		while (!Files.exists(Path.of("go"))) {
			if (all(1) != before)
				System.out.println("another sum at the gate");
			Thread.sleep(500);
		}
		for (int phase = 2; phase < 8; phase++)
			System.out.println("phase " + phase + ": " + all(phase) + " " + held());
		System.gc();
		System.out.println("held: " + map.size() + " " + held());
		System.out.println("end");
	}
}
