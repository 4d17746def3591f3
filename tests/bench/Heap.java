// SPDX-License-Identifier: GPL-2.0-or-later
// Heap.java READY ENTRIES - a heap of a Java virtual machine: a map of records, then nothing but waiting

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Random;

public class Heap {
	record Sample(int number, double value, int[] counts, String run) {
	}

	static Sample sample(Random random, int i) {
		return new Sample(i, random.nextDouble(), random.ints(4, 0, 1000).toArray(), "run " + i % 97);
	}

	public static void main(String[] args) throws Exception {
		var random = new Random(4711);
		var heap = new HashMap<String, Sample>();
		int entries = Integer.parseInt(args[1]);
		for (int i = 0; i < entries; i++)
			heap.put("sample-" + i, sample(random, i));
		Files.createFile(Path.of(args[0]));
		while (heap.size() == entries)
			Thread.sleep(60000);
	}
}
