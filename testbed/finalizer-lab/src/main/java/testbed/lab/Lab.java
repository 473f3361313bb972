package testbed.lab;
public final class Lab { public static void main(String[] a){} }
