// SPDX-License-Identifier: GPL-2.0-or-later
// Compile.java WARM SOURCE... - javac in a virtual machine of its own: WARM rounds of nothing but warming up, a checkpoint
// of the job when there were any, then the round that counts. It prints when that was done, and what came of it.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.tools.ToolProvider;

public class Compile {
	/* every class file below a new directory, and how many bytes they have together */
	static String round(List<String> sources) throws Exception {
		var out = Files.createTempDirectory("classes");
		var args = new ArrayList<>(List.of("-nowarn", "-d", out.toString()));
		args.addAll(sources);
		int rc = ToolProvider.getSystemJavaCompiler().run(null, System.out, System.out, args.toArray(new String[0]));
		try (var files = Files.walk(out)) {
			var classes = files.filter(p -> p.toString().endsWith(".class")).toList();
			long bytes = 0;
			for (Path p : classes)
				bytes += Files.size(p);
			return rc + " " + classes.size() + " " + bytes;
		}
	}

	public static void main(String[] args) throws Exception {
		int warm = Integer.parseInt(args[0]);
		var sources = List.of(args).subList(1, args.length);
		for (int i = 0; i < warm; i++)
			round(sources);
		if (warm > 0) {
			System.out.println("warm");
			int rc = new ProcessBuilder("scheckpoint", "create", System.getenv("SLURM_JOB_ID")).inheritIO().start().waitFor();
			if (rc != 0)
				System.exit(rc);
		}
		var result = round(sources);
		System.out.println("done " + System.currentTimeMillis() + " " + result);
	}
}
